import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { parseHtpasswd } from '../../auth/robots/htpasswd.ts';
import { field, isObject, jsonOrNone } from '../../base/text/json.ts';
import type { ConfigRefusal, FaultPath } from '../../config/faults.ts';
import type { Config } from '../../config/load.ts';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';

/**
 * Opens every file that the configuration names as what it must be: a certificate with its key,
 * authorities, logins, kubeconfigs. They can be read, see `fileFaults`. Shows no content.
 */
export async function contentFaults(config: Config): Promise<readonly ConfigRefusal[]> {
  const faults = await Promise.all([
    ...tlsFaults(config),
    ...Object.entries(config.upstreams).flatMap(([name, upstream]) => upstreamFaults(name, upstream)),
    ...Object.entries(config.hosts).flatMap(([name, host]) => robotFaults(name, host)),
    ...Object.entries(config.clusters).map(([name, cluster]) => clusterFaults(name, cluster)),
    ...storeFaults(config),
  ]);
  return faults.flat();
}

type Faults = Promise<readonly ConfigRefusal[]>;

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

async function pairFaults(
  path: FaultPath,
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
): Faults {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  const faults = [
    ...complaint([...path, 'certFile'], certFile, () => authorities(cert)),
    ...complaint([...path, 'keyFile'], keyFile, () => privateKey(key)),
  ];
  if (faults.length > 0) return faults;
  return complaint([...path, 'keyFile'], keyFile, () => {
    try {
      createSecureContext({ cert, key });
    } catch {
      throw new Error(`is not the key of the certificate in ${certFile}: name the two that belong together`);
    }
  });
}

async function refused(path: FaultPath, file: string, read: (text: string) => unknown): Faults {
  const text = await readFile(file, 'utf8');
  return complaint(path, file, () => read(text));
}

function complaint(path: FaultPath, file: string, read: () => unknown): readonly ConfigRefusal[] {
  try {
    read();
    return [];
  } catch (error) {
    return [{ path, message: `${file} ${error instanceof Error ? error.message : 'cannot be used'}` }];
  }
}

const certificates = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** One certificate or more, PEM, none of which has ended. */
function authorities(text: string): void {
  const found = text.match(certificates);
  if (found === null) throw new Error('holds no PEM certificate (-----BEGIN CERTIFICATE-----)');
  for (const pem of found) {
    const { validTo } = certificateOf(pem);
    if (Date.parse(validTo) < Date.now()) throw new Error(`holds a certificate that ended at ${validTo}`);
  }
}

function certificateOf(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new Error('holds a PEM certificate that cannot be read');
  }
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
  if (entries.size === 0) throw new Error('holds no login: add one by htpasswd -B');
}

/** A docker or podman auth file. */
function authEntries(text: string): void {
  const auths = field(jsonOrNone(text), 'auths');
  if (!isObject(auths)) throw new Error('is not an auth file: JSON with "auths", as podman login writes it');
  for (const [key, entry] of Object.entries(auths)) {
    const auth = field(entry, 'auth');
    const isLogin = typeof field(entry, 'identitytoken') === 'string' || isEncodedPair(auth);
    if (!isLogin) throw new Error(`has no login for ${key}: "auth" must be base64 of name:password`);
  }
}

function isEncodedPair(auth: unknown): boolean {
  return typeof auth === 'string' && Buffer.from(auth, 'base64').toString().indexOf(':') > 0;
}

function secret(text: string): void {
  if (text.trim() === '') throw new Error('is empty');
}
