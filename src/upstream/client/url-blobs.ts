import type { Descriptor } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { BlobOptions, OpenBlob } from '../../oci/registry-reader.ts';
import { settingsOf, type UpstreamOptions } from '../http/options.ts';
import { parseTarget } from '../http/redirect.ts';
import { openAsked } from './blobs.ts';
import { createConnection } from './connection.ts';

/** Blobs by the `urls` of their descriptors (image-spec, "Descriptor"), on any hosts. */
export interface UrlBlobs {
  /**
   * From the first URL that serves it, unverified. Throws `UNAVAILABLE` or `TOOMANYREQUESTS` if a
   * retry may help, else `BLOB_UNKNOWN` with the last refusal.
   */
  open(descriptor: Descriptor, options?: BlobOptions): Promise<OpenBlob>;
  close(): Promise<void>;
}

interface UrlBlobsOptions extends Omit<UpstreamOptions, 'allowPrivateAddresses'> {
  /** Whether URLs may be of plain HTTP. */
  readonly allowsHttp: boolean;
}

/**
 * URLs of foreign layers are attacker-controlled: they get no credentials, private addresses are
 * rejected (SSRF) except the registry itself, and their failures do not trip its breaker.
 */
export function createUrlBlobs({ allowsHttp, ...options }: UrlBlobsOptions): UrlBlobs {
  const settings = settingsOf({ ...options, allowPrivateAddresses: false });
  const link = createConnection(settings);
  const rules = { upstream: new URL(settings.url), allowPrivateAddresses: false };
  const origin = new URL(`${allowsHttp ? 'http' : 'https'}://urls.invalid`);
  const ignored = (): void => {};
  const blobSettings = { ...settings, received: ignored, resumed: ignored, ignoredRange: ignored };
  return {
    async open({ digest, urls = [] }, asked = {}) {
      let failure = new RegistryError('BLOB_UNKNOWN', 'no foreign-layer URL served the blob');
      for (const text of urls) {
        try {
          const ask = { kind: 'cdn', method: 'GET', url: parseTarget(text, origin, rules) } as const;
          const opened = await openAsked(link, ask, digest, { ...asked, settings: blobSettings });
          if (opened !== undefined) return opened;
        } catch (error) {
          asked.signal?.throwIfAborted();
          if (!(error instanceof RegistryError)) throw error;
          if (!passesSoon(failure)) failure = error;
        }
      }
      const code = passesSoon(failure) ? failure.code : 'BLOB_UNKNOWN';
      const { retryAfterSeconds, cause } = failure;
      const message = `the registry does not have the foreign layer ${digest}, and at its urls: ${failure.message}`;
      throw new RegistryError(code, message, { cause, retryAfterSeconds });
    },
    close: () => link.close(),
  };
}

function passesSoon({ code, retry }: RegistryError): boolean {
  return retry === 'now' && (code === 'UNAVAILABLE' || code === 'TOOMANYREQUESTS');
}
