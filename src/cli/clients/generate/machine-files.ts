import { type Location, locationText } from '../location.ts';
import { tomlText } from '../toml.ts';
import type { ClientFile, MirroredSource, WantedFiles } from './wanted.ts';

const registriesComment = `# For podman, skopeo, buildah and CRI-O: /etc/containers/registries.conf.d/50-quayside.conf
#
# The client asks the mirrors in their order, and the registry itself when all of them refuse, fail
# or are down. Config and layers come from where the manifest came from. With the image library
# 5.39.3, 5.41.1 or 5.42 and their successors (May 2026; not 5.40.0, 5.41.0) a blob that fails comes
# from the next mirror; with an older one, such as that of CRI-O 1.37, the pull fails.
# Only the longest matching prefix applies: a table for "quay.io/openshift/ci" elsewhere replaces
# the one for "quay.io" here.
`;
const insecureComment = `# "insecure" is for plain HTTP; leave it out once Quayside serves TLS.
`;

/** For podman: mirrors, the authority of the certificate, and the login of root. */
export function podmanFiles(wanted: WantedFiles): readonly ClientFile[] {
  return [
    registriesConf(wanted),
    ...authorityOf(wanted, 'etc/containers/certs.d'),
    ...authFile(wanted, 'root/.config/containers/auth.json'),
  ];
}

const crioAuthFile = 'etc/crio/quayside-auth.json';

/** For CRI-O on a node without OpenShift: its only login is one for all pods. */
export function crioFiles(wanted: WantedFiles): readonly ClientFile[] {
  const auth = authFile(wanted, crioAuthFile);
  const comment = `# For CRI-O: /etc/crio/crio.conf.d/50-quayside.conf. This login is for the pulls of all pods; put
# the node's other logins into the same file.
`;
  const setting = { crio: { image: { global_auth_file: `/${crioAuthFile}` } } };
  const conf = { path: 'etc/crio/crio.conf.d/50-quayside.conf', text: comment + tomlText(setting) };
  return [
    registriesConf(wanted),
    ...authorityOf(wanted, 'etc/containers/certs.d'),
    ...(auth.length === 0 ? [] : [conf, ...auth]),
  ];
}

function registriesConf({ sources, host, isPlainHttp }: WantedFiles): ClientFile {
  const table = ({ source, mirror, fallbacks }: MirroredSource) => ({
    prefix: locationText(source),
    location: locationText(source),
    mirror: [mirror, ...fallbacks].map((location) => ({
      location: locationText(location),
      ...(isPlainHttp && location.host === host ? { insecure: true } : {}),
    })),
  });
  const text = tomlText({ registry: sources.map(table) });
  return {
    path: 'etc/containers/registries.conf.d/50-quayside.conf',
    text: `${registriesComment}${isPlainHttp ? insecureComment : ''}\n${spaced(text)}`,
  };
}

/** The library puts no blank line before a table of a list that follows another's keys. */
function spaced(toml: string): string {
  return toml.replace(/([^\n])\n\[/g, '$1\n\n[');
}

/** One folder for each registry: containerd narrows nothing to a repository. */
export function containerdFiles(wanted: WantedFiles): readonly ClientFile[] {
  const registries = new Map(wanted.sources.map((source) => [source.source.host, source]));
  return [...registries.values()].flatMap((source) => {
    const folder = `etc/containerd/certs.d/${source.source.host}`;
    const ca = wanted.ca === undefined ? [] : [{ path: `${folder}/quayside-ca.crt`, text: wanted.ca }];
    return [hostsToml(wanted, source, folder), ...ca];
  });
}

function hostsToml(wanted: WantedFiles, { source, fallbacks }: MirroredSource, folder: string): ClientFile {
  const { host, isPlainHttp, ca, login } = wanted;
  const comment = `# For containerd: /${folder}/hosts.toml, one such folder for each registry.
# containerd reads it if its configuration has config_path = "/etc/containerd/certs.d" below the
# registry section of its CRI plugin.
#
# containerd asks the hosts in their order, with ?ns=${source.host}, and the server when all of them
# fail, for each blob anew. Without "resolve" it would not ask a host for tags.

`;
  const capabilities = ['pull', 'resolve'];
  const quayside = {
    capabilities,
    ...(ca === undefined ? {} : { ca: 'quayside-ca.crt' }),
    ...(login === undefined ? {} : { header: { authorization: `Basic ${pairOf(login)}` } }),
  };
  const hosts = new Map<string, object>([[`${isPlainHttp ? 'http' : 'https'}://${host}`, quayside]]);
  for (const fallback of fallbacks) hosts.set(serverOf(fallback), { capabilities });
  const text = tomlText({ server: serverOf(source), host: Object.fromEntries(hosts) });
  return {
    path: `${folder}/hosts.toml`,
    text: comment + spaced(text),
    ...(login === undefined ? {} : { isSecret: true }),
  };
}

/** docker.io is a name for people; its API is elsewhere. */
function serverOf({ host }: Location): string {
  return `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}`;
}

/** docker asks mirrors for docker.io alone, and a mirror's URL holds no path. */
export function dockerFiles(wanted: WantedFiles): readonly ClientFile[] {
  const { host, isPlainHttp } = wanted;
  const settings = {
    'registry-mirrors': [`${isPlainHttp ? 'http' : 'https'}://${host}`],
    ...(isPlainHttp ? { 'insecure-registries': [host] } : {}),
  };
  const lines = Object.entries(settings).map(([key, value]) => `  "${key}": ${JSON.stringify(value)}`);
  return [
    { path: 'etc/docker/daemon.json', text: `{\n${lines.join(',\n')}\n}\n` },
    ...authorityOf(wanted, 'etc/docker/certs.d'),
  ];
}

function authorityOf({ ca, host }: WantedFiles, folder: string): readonly ClientFile[] {
  return ca === undefined ? [] : [{ path: `${folder}/${host}/ca.crt`, text: ca }];
}

function authFile(wanted: WantedFiles, path: string): readonly ClientFile[] {
  const text = dockerConfigJson(wanted);
  return text === undefined ? [] : [{ path, text: `${text}\n`, isSecret: true }];
}

/** The login at Quayside as docker and Kubernetes write it; undefined without one. */
export function dockerConfigJson({ host, login }: WantedFiles): string | undefined {
  return login && JSON.stringify({ auths: { [host]: { auth: pairOf(login) } } });
}

function pairOf({ username, password }: { readonly username: string; readonly password: string }): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}
