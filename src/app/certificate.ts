import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type Server } from 'node:tls';
import { type Watch, watchFiles } from '../base/state/watched-file.ts';
import type { Log } from '../telemetry/log.ts';

interface CertificateFiles {
  /** The certificate chain, PEM. */
  readonly certFile: string;
  /** Its private key, PEM. */
  readonly keyFile: string;
}

export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface RenewalOptions extends CertificateFiles {
  /** How often the files are looked at, in milliseconds. Default 2,000. */
  readonly everyMs?: number;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

/** The files as they are now; rejects when they cannot be read. */
export async function readKeyPair({ certFile, keyFile }: CertificateFiles): Promise<KeyPair> {
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  return { cert, key };
}

/**
 * Gives new connections the current certificate of the files; open ones keep theirs. If a pair
 * cannot be used, such as one without its key yet, the log says so, and the previous one stays.
 */
export function renewedCertificate(
  server: Pick<Server, 'setSecureContext'>,
  { everyMs = 2_000, log, ...files }: RenewalOptions,
): Watch {
  async function renew(): Promise<void> {
    try {
      const pair = await readKeyPair(files);
      createSecureContext(pair);
      server.setSecureContext(pair);
      log.info({ validTo: new X509Certificate(pair.cert).validTo }, 'TLS certificate reloaded');
    } catch (error) {
      log.warn(
        { err: error },
        'cannot use the new TLS certificate or its key; the previous certificate stays in use',
      );
    }
  }

  return watchFiles([files.certFile, files.keyFile], { everyMs, changed: renew });
}
