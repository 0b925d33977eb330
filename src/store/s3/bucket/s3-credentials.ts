import { readOnChange } from '../../../base/state/watched-file.ts';

interface CredentialFilesOptions {
  readonly accessKeyIdFile: string;
  readonly secretAccessKeyFile: string;
  /** For temporary credentials. */
  readonly sessionTokenFile?: string;
}

interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** So near that the SDK asks again each time; the files are followed here. */
  readonly expiration: Date;
}

/** How long what was read is used without a look at the files, in milliseconds. */
const freshMs = 10_000;

/** Credentials of mounted secret files; a rotated secret is in use within 10 s. */
export function credentialFiles(options: CredentialFilesOptions): () => Promise<S3Credentials> {
  const { accessKeyIdFile, secretAccessKeyFile, sessionTokenFile } = options;
  const files = [
    accessKeyIdFile,
    secretAccessKeyFile,
    ...(sessionTokenFile === undefined ? [] : [sessionTokenFile]),
  ];
  const current = readOnChange(files, credentialsIn, { everyMs: freshMs });
  return async () => ({ ...(await current()), expiration: new Date(Date.now() + freshMs) });
}

function credentialsIn(texts: readonly string[]): Omit<S3Credentials, 'expiration'> {
  const [accessKeyId = '', secretAccessKey = '', sessionToken] = texts.map((text) => text.trim());
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}
