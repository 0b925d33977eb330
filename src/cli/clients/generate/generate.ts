// Room `cli/clients/generate`: files that make clients pull through Quayside. In: flags, and a
// password from a file or standard input. Out: files, printed or below a directory. Imports: every
// room below.

import { X509Certificate } from 'node:crypto';
import { lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { defined } from '../../../base/text/defined.ts';
import { didYouMean, refuseWords, UsageError } from '../../flags/arguments.ts';
import { type FlagValues, parseFlags } from '../../flags/flag-table.ts';
import { type Io, type Run, writeJson } from '../../flags/io.ts';
import { generateFlags } from '../../pages/clients.ts';
import { kubernetesObjects, openshiftObjects } from './cluster-objects.ts';
import { containerdFiles, crioFiles, dockerFiles, podmanFiles } from './machine-files.ts';
import {
  type ClientFile,
  type ClientLogin,
  type ClientName,
  checkedHost,
  clientNames,
  mirroredSources,
  type WantedFiles,
} from './wanted.ts';

type GenerateWords = FlagValues<typeof generateFlags>;

const makers: Readonly<Record<ClientName, (wanted: WantedFiles) => readonly ClientFile[]>> = {
  podman: podmanFiles,
  'cri-o': crioFiles,
  containerd: containerdFiles,
  docker: dockerFiles,
  openshift: openshiftObjects,
  kubernetes: kubernetesObjects,
};

/** `quayside clients generate`. 1 where a file exists already, or cannot be written. */
export const clientsGenerate: Run = async (args, io) => {
  const { values, words } = parseFlags(generateFlags, args);
  refuseWords(words);
  const wanted = await wantedBy(values, io);
  const clients = chosenClients(values.for, wanted);
  if (wanted.login !== undefined && wanted.namespace === undefined && clients.some(isCluster))
    throw new UsageError('needs --namespace NAME for the pull secret; --for podman needs none');
  if (values.ca !== undefined && (await holdsMore(values.ca)))
    io.stderr.write(`note: --ca ${values.ca} holds more than certificates, which is left out\n`);
  for (const hint of hints(clients, wanted)) io.stderr.write(`note: ${hint}\n`);
  const byPath = new Map(
    clients.flatMap((client) => makers[client](wanted).map((file) => [file.path, file])),
  );
  const files = [...byPath.values()];
  const asJson = values.output === 'json';
  if (values.dir !== undefined)
    return written(files, { folder: values.dir, mayReplace: values.force === true, asJson }, io);
  if (asJson) writeJson(io.stdout, { files: files.map(({ path, text }) => ({ path, text })) });
  else io.stdout.write(printed(files));
  return 0;
};

async function wantedBy(values: GenerateWords, io: Io): Promise<WantedFiles> {
  const host = checkedHost(values.host);
  const { path, source, fallback, namespace } = values;
  const sources = mirroredSources({ host, path, source, fallback });
  const isPlainHttp = values['plain-http'] === true;
  if (isPlainHttp && values.ca !== undefined)
    throw new UsageError('takes --ca or --plain-http: without TLS there is no certificate');
  const [ca, login] = [await authorityIn(values.ca), await loginOf(values, io)];
  return {
    host,
    sources,
    isPlainHttp,
    serviceAccount: kubernetesName('--service-account', values['service-account']),
    ...defined({
      ca,
      login,
      namespace: namespace && kubernetesName('--namespace', namespace),
    }),
  };
}

async function holdsMore(file: string): Promise<boolean> {
  return (await readText('--ca', file)).replaceAll(certificates, '').trim() !== '';
}

const certificates = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function kubernetesName(flag: string, text: string): string {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new UsageError(`${flag} takes a name of Kubernetes, such as team-1, not ${text}`);
}

async function authorityIn(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readText('--ca', file);
  try {
    // A server's file may hold its private key too, and everybody may read what is made here.
    const found = text.match(certificates) ?? [''];
    for (const certificate of found) void new X509Certificate(certificate);
    return found.map((certificate) => `${certificate}\n`).join('');
  } catch (error) {
    throw new UsageError(`--ca ${file} holds no certificate in PEM form`, { cause: error });
  }
}

/** A password never stands in the arguments, which every process of the machine can see. */
async function loginOf(values: GenerateWords, io: Io): Promise<ClientLogin | undefined> {
  const file = values['password-file'];
  if (file === undefined) {
    if (values.username !== undefined) throw new UsageError('--username needs --password-file FILE, or -');
    return undefined;
  }
  const text = file === '-' ? await io.input() : await readText('--password-file', file);
  const password = text.replace(/\r?\n$/, '');
  if (password === '' || /[\r\n]/.test(password))
    throw new UsageError(`--password-file ${file} must hold one line: the password, or a token`);
  const { username = 'serviceaccount' } = values;
  if (username === '' || /[:\s]/.test(username))
    throw new UsageError(`--username must have neither colons nor blanks`);
  return { username, password };
}

async function readText(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new UsageError(`${flag} ${file} cannot be read${code}`, { cause: error });
  }
}

function chosenClients(words: readonly string[], { sources }: WantedFiles): readonly ClientName[] {
  const hasHub = sources.some(({ source }) => source.host === 'docker.io' && source.path === '');
  if (words.length === 0) return clientNames.filter((name) => name !== 'docker' || hasHub);
  const names = words.flatMap((word) => word.split(',')).map(clientNamed);
  if (names.includes('docker') && !hasHub)
    throw new UsageError('docker asks mirrors for docker.io alone: add --source docker.io');
  return names;
}

function clientNamed(word: string): ClientName {
  const found = clientNames.find((name) => name === word);
  if (found !== undefined) return found;
  throw new UsageError(`--for takes ${clientNames.join(', ')}; not ${word}${didYouMean(word, clientNames)}`);
}

function isCluster(client: ClientName): boolean {
  return client === 'openshift' || client === 'kubernetes';
}

/** What the files cannot say. */
function hints(clients: readonly ClientName[], wanted: WantedFiles): readonly string[] {
  const { host, login, isPlainHttp, sources } = wanted;
  const found: string[] = [];
  if (clients.includes('docker'))
    found.push(
      `docker: ${host} must stand for docker.io alone, hosts: {"${host}": {upstream: docker.io}}, and need no login: docker has none for a mirror`,
    );
  if (clients.includes('containerd') && sources.some(({ source }) => source.path !== ''))
    found.push('containerd: hosts.toml holds for the whole registry, not for one repository in it');
  if (clients.includes('openshift') && isPlainHttp)
    found.push(
      `openshift: add ${host} to registrySources.insecureRegistries of image.config.openshift.io/cluster`,
    );
  if (login === undefined && clients.includes('kubernetes'))
    found.push('kubernetes: --password-file FILE and --namespace NAME make the pull secret');
  return found;
}

/** One file as it is; YAML as one stream for `oc apply -f -`; others below their paths. */
function printed(files: readonly ClientFile[]): string {
  const [only, ...others] = files;
  if (only !== undefined && others.length === 0) return only.text;
  if (files.every(({ path }) => /^(?:openshift|kubernetes)\//.test(path)))
    return files.map(({ text }) => text).join('---\n');
  return files.map(({ path, text }) => `==> /${path} <==\n${text}`).join('\n');
}

interface FilesPlace {
  readonly folder: string;
  readonly mayReplace: boolean;
  readonly asJson: boolean;
}

async function written(
  files: readonly ClientFile[],
  { folder, mayReplace, asJson }: FilesPlace,
  io: Io,
): Promise<number> {
  const targets = files.map((file) => ({ ...file, target: join(folder, file.path) }));
  const present: string[] = [];
  if (!mayReplace) for (const { target } of targets) if (await exists(target)) present.push(target);
  if (present.length > 0) {
    io.stderr.write(
      `quayside clients generate: ${present.join(', ')} exists; nothing was written; --force overwrites\n`,
    );
    return 1;
  }
  for (const { target, text, isSecret = false } of targets) {
    await mkdir(dirname(target), { recursive: true });
    // A file that is replaced in place keeps its mode, and a link leads elsewhere.
    if (mayReplace) await rm(target, { force: true });
    await writeFile(target, text, { mode: isSecret ? 0o600 : 0o644, flag: 'wx' });
    if (!asJson) io.stdout.write(`${target}\n`);
  }
  if (asJson) writeJson(io.stdout, { written: targets.map(({ target }) => target) });
  return 0;
}

/** A link counts too, wherever it leads. */
async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  );
}
