import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { parseHtpasswd } from '../../auth/robots/htpasswd.ts';
import { field, isObject, isText, jsonOrNone } from '../../base/text/json.ts';
import type { ConfigRefusal, FaultPath } from '../../config/faults.ts';
import type { Config } from '../../config/load.ts';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';
import { helperRefusal } from '../../upstream/helpers/helpers.ts';
import { findProgram } from '../../upstream/helpers/program.ts';
import { authFileCredential, parseLoginFile } from '../../upstream/login/login-file.ts';

/** A file that is not what it must be. */
export interface ContentFault extends ConfigRefusal {
  /** A service can start with it: it may be filled later, or only a part of it is of no use. */
  readonly isBearable?: true;
}

/**
 * Opens every file that the configuration names as what it must be: a certificate with its key,
 * authorities, logins, kubeconfigs. They can be read, see `fileFaults`. Shows no content.
 */
export async function contentFaults(config: Config): Promise<readonly ContentFault[]> {
  const faults = await Promise.all([
    ...tlsFaults(config),
    ...Object.entries(config.upstreams).flatMap(([name, upstream]) => upstreamFaults(name, upstream)),
    ...Object.entries(config.hosts).flatMap(([name, host]) => robotFaults(name, host)),
    ...Object.entries(config.clusters).map(([name, cluster]) => clusterFaults(name, cluster)),
    ...storeFaults(config),
    ...helperFaults(config),
  ]);
  return faults.flat();
}

type Faults = Promise<readonly ContentFault[]>;

/** What the service reads again later, or can do without. */
class BearableFault extends Error {}

function tlsFaults({ tls }: Config): readonly Faults[] {
  return tls === undefined ? [] : [pairFaults(['tls'], tls)];
}

function upstreamFaults(name: string, upstream: Config['upstreams'][string]): readonly Faults[] {
  const path = ['upstreams', name];
  const { certFile, keyFile, caFile, credentials } = upstream;
  return [
    ...(certFile === undefined || keyFile === undefined ? [] : [pairFaults(path, { certFile, keyFile })]),
    ...(caFile === undefined ? [] : [refused([...path, 'caFile'], caFile, authorities)]),
    ...(credentials === undefined ? [] : loginFaults([...path, 'credentials'], credentials)),
  ];
}

function robotFaults(name: string, { robots }: Config['hosts'][string]): readonly Faults[] {
  return robots === undefined ? [] : loginFaults(['hosts', name, 'robots'], robots);
}

function loginFaults(path: FaultPath, files: Readonly<Record<string, string>>): readonly Faults[] {
  const readers: Readonly<Record<string, (text: string) => unknown>> = {
    htpasswdFile: logins,
    authFile: authEntries,
    usernameFile: secret,
    passwordFile: secret,
  };
  return Object.entries(files).flatMap(([key, file]) => {
    const read = readers[key];
    return read === undefined ? [] : [refused([...path, key], file, read)];
  });
}

/** Helpers that are named and would not be run. */
function helperFaults(config: Config): readonly Faults[] {
  const { credentialHelpers, upstreams, mirror } = config;
  const { directories, exec } = credentialHelpers;
  const authFiles = [
    ...Object.entries(upstreams).map(
      ([name, { credentials }]) => [['upstreams', name, 'credentials'], credentials] as const,
    ),
    [['mirror'], mirror] as const,
  ].flatMap(([path, place]) =>
    place !== undefined && 'authFile' in place && place.authFile !== undefined
      ? [{ path: [...path, 'authFile'], file: place.authFile }]
      : [],
  );
  return [
    ...authFiles.map(({ path, file }) => namedHelperFaults(path, file, directories)),
    ...exec.map(({ name }, index) =>
      programFaults(['credentialHelpers', 'exec', index, 'name'], name, directories),
    ),
  ];
}

async function namedHelperFaults(path: FaultPath, file: string, directories: readonly string[]): Faults {
  const text = await readFile(file, 'utf8');
  if (jsonOrNone(text) === undefined) return [];
  const { helpers, store } = parseLoginFile(text);
  const named = [...helpers.values(), ...(store === undefined ? [] : [store])];
  const found = await Promise.all(
    named.map(async ({ key, helper }) => [key, await helperRefusal(helper, directories)] as const),
  );
  return found.flatMap(([key, reason]) =>
    reason === undefined ? [] : [{ path, message: `${file}: ${key}: ${reason}`, isBearable: true as const }],
  );
}

async function programFaults(path: FaultPath, name: string, directories: readonly string[]): Faults {
  const program = await findProgram(name, directories);
  if (program !== undefined) return [];
  return [{ path, message: `${name} is no executable file in credentialHelpers.directories` }];
}

async function clusterFaults(name: string, cluster: Config['clusters'][string]): Faults {
  const { kubeconfigFile, context } = cluster;
  if (kubeconfigFile === undefined) return [];
  try {
    await loadKubeconfig({ kubeconfigFile, ...(context !== undefined && { context }) });
    return [];
  } catch (error) {
    const message = `${kubeconfigFile} cannot be used: ${error instanceof Error ? error.message : error}`;
    return [{ path: ['clusters', name, 'kubeconfigFile'], message }];
  }
}

function storeFaults({ store }: Config): readonly Faults[] {
  if (!('s3' in store)) return [];
  return Object.entries(store.s3).flatMap(([key, file]) =>
    key.endsWith('File') && typeof file === 'string' ? [refused(['store', 's3', key], file, secret)] : [],
  );
}

async function pairFaults(path: FaultPath, { certFile, keyFile }: NamedPair): Faults {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  const faults = [
    ...complaint([...path, 'certFile'], certFile, () => chain(cert)),
    ...complaint([...path, 'keyFile'], keyFile, () => privateKey(key)),
  ];
  if (faults.some(({ isBearable }) => isBearable !== true)) return faults;
  return [...faults, ...pairFault(path, { certFile, keyFile }, { cert, key })];
}

interface NamedPair {
  readonly certFile: string;
  readonly keyFile: string;
}

function pairFault(
  path: FaultPath,
  { certFile, keyFile }: NamedPair,
  pair: { readonly cert: string; readonly key: string },
): readonly ContentFault[] {
  return complaint([...path, 'keyFile'], keyFile, () => {
    try {
      createSecureContext(pair);
    } catch {
      throw new Error(`is not the key of the certificate in ${certFile}: name the two that belong together`);
    }
  });
}

async function refused(path: FaultPath, file: string, read: (text: string) => unknown): Faults {
  const text = await readFile(file, 'utf8');
  return complaint(path, file, () => read(text));
}

function complaint(path: FaultPath, file: string, read: () => unknown): readonly ContentFault[] {
  try {
    read();
    return [];
  } catch (error) {
    const message = `${file} ${error instanceof Error ? error.message : 'cannot be used'}`;
    return [{ path, message, ...(error instanceof BearableFault && { isBearable: true }) }];
  }
}

/** Bundles of OpenSSL have the second form. */
const certificates = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** PEM; the first one is ours, and those after it may be older ways to an authority. */
function chain(text: string): void {
  const [own] = certificatesIn(text);
  if (own === undefined) throw new Error(unreadableCertificate);
  if (hasEnded(own)) throw new BearableFault(`holds a certificate that ended at ${own.validTo}`);
}

/** One certificate or more, PEM. Bundles of the world's authorities always have ended ones. */
function authorities(text: string): void {
  const found = certificatesIn(text);
  const readable = found.filter((each) => each !== undefined);
  if (readable.length === 0) throw new Error(unreadableCertificate);
  const [first] = readable;
  if (first !== undefined && readable.every(hasEnded))
    throw new BearableFault(`holds a certificate that ended at ${first.validTo}, and none that has not`);
  if (readable.length < found.length) throw new BearableFault(unreadableCertificate);
}

const unreadableCertificate = 'holds a PEM certificate that cannot be read';

/** Undefined for each that cannot be read. Throws for a text without any. */
function certificatesIn(text: string): readonly (X509Certificate | undefined)[] {
  const found = text.match(certificates);
  if (found === null) throw new Error('holds no PEM certificate (-----BEGIN CERTIFICATE-----)');
  return found.map(certificateOf);
}

function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function hasEnded({ validTo }: X509Certificate): boolean {
  return Date.parse(validTo) < Date.now();
}

function privateKey(text: string): void {
  if (!text.includes('PRIVATE KEY-----')) throw new Error('holds no PEM private key');
  try {
    createSecureContext({ key: text });
  } catch {
    throw new Error('holds a private key that cannot be read; one with a passphrase is not supported');
  }
}

function logins(text: string): void {
  let entries: ReadonlyMap<string, string>;
  try {
    entries = parseHtpasswd(text);
  } catch (error) {
    throw new Error(`cannot be used: ${error instanceof Error ? error.message : error}`);
  }
  if (entries.size === 0) throw new BearableFault('holds no login: add one by htpasswd -B');
}

/** A docker or podman auth file. One that a Secret fills later may be empty. */
function authEntries(text: string): void {
  if (text.trim() === '') throw new BearableFault('is empty');
  const file = jsonOrNone(text);
  const isHelped = isObject(field(file, 'credHelpers')) || isText(field(file, 'credsStore'));
  const auths = field(file, 'auths') ?? (isHelped ? {} : undefined);
  if (!isObject(auths)) throw new Error('is not an auth file: JSON with "auths", as podman login writes it');
  for (const [key, entry] of Object.entries(auths))
    if (!isHelped && authFileCredential(entry) === undefined)
      throw new BearableFault(`has no login for ${key}: "auth" must be base64 of name:password`);
}

function secret(text: string): void {
  if (text.trim() === '') throw new BearableFault('is empty');
}
