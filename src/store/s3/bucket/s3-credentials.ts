import { readFile } from 'node:fs/promises';

export interface CredentialFilesOptions {
  readonly accessKeyIdFile: string;
  readonly secretAccessKeyFile: string;
  /** For temporary credentials. */
  readonly sessionTokenFile?: string;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** So near that the SDK asks again each time; this module remembers for itself. */
  readonly expiration: Date;
}

/** For how long what was read is used without a look at the files. */
const freshMs = 10_000;

/** Credentials from mounted secret files; a rotated secret is in use within 10 s, without a restart. */
export function credentialFiles(options: CredentialFilesOptions): () => Promise<S3Credentials> {
  let reading: Promise<S3Credentials> | undefined;
  let readAt = 0;
  return () => {
    const now = performance.now();
    if (reading !== undefined && now - readAt < freshMs) return reading;
    readAt = now;
    const current = readAll(options);
    current.catch(() => {
      if (reading === current) reading = undefined;
    });
    reading = current;
    return current;
  };
}

async function readAll(options: CredentialFilesOptions): Promise<S3Credentials> {
  const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
    readLine(options.accessKeyIdFile),
    readLine(options.secretAccessKeyFile),
    options.sessionTokenFile === undefined ? undefined : readLine(options.sessionTokenFile),
  ]);
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    expiration: new Date(Date.now() + freshMs),
  };
}

async function readLine(path: string): Promise<string> {
  return (await readFile(path, 'utf8')).trim();
}
