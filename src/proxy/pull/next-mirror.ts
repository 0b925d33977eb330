import { mayPass } from '../../base/time/retry.ts';
import { RegistryError } from '../../oci/errors.ts';

/**
 * The purpose of a refused request, which decides where the client goes next: a manifest, by which
 * it chooses a mirror; a child of an index; a tag of signatures; a blob.
 */
export type WantedContent = 'manifest' | 'child' | 'signature' | 'blob';

/** In seconds. Clients try five times, so that trouble of four seconds costs no pull. */
const retryAfterSeconds = 1;

/**
 * The refusal that leaves a client a way on. Clients choose a mirror at the manifest, and go to the
 * next one after any refusal but 429, which they wait out: so a manifest that the upstream
 * throttles is 503. Not all go to the next mirror for a child or a blob, and those that do not fail
 * at the first 503, but try again after 429: so passing trouble is 429, always with the same short
 * wait, since the other wait was ours. Those that do go on do so after 404 with `BLOB_UNKNOWN`, and
 * not after 403. A missing signature is an answer, a refused one fails the pull.
 */
export function refusalFor(wanted: WantedContent, error: RegistryError): RegistryError {
  const { code } = error;
  if (wanted === 'manifest' || wanted === 'signature') {
    if (code === 'TOOMANYREQUESTS') return said(error, 'UNAVAILABLE');
    return wanted === 'signature' && code === 'DENIED' ? said(error, 'MANIFEST_UNKNOWN') : error;
  }
  if (code === 'DENIED' && wanted === 'blob') return said(error, 'BLOB_UNKNOWN');
  return mayPass(error) && code !== 'UNKNOWN' ? said(error, 'TOOMANYREQUESTS', { retryAfterSeconds }) : error;
}

function said(
  { message, detail, reply, retryAfterSeconds: asked, cause }: RegistryError,
  code: RegistryError['code'],
  { retryAfterSeconds: wait = asked }: { readonly retryAfterSeconds?: number } = {},
): RegistryError {
  return new RegistryError(code, message, { cause, detail, reply, retryAfterSeconds: wait });
}
