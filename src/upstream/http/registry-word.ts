import { field, jsonOrNone, listOf } from '../../base/text/json.ts';
import { headerOf, type UpstreamResponse, wholeBody } from '../exchange.ts';

const maxErrorBytes = 64 * 1024;

/** Below 400 is no refusal, 416 is one of the range; retries handle transient ones. */
function isRefusal({ status }: UpstreamResponse): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 416 && status !== 429;
}

/**
 * True for a refusal that no registry said, such as the storage's of a URL whose signature has
 * ended. A registry says a code (distribution-spec, "Error Codes"); of a HEAD, which has no body,
 * the fields must tell. Reads the body of a refusal.
 */
export async function isStoragesRefusal(answer: UpstreamResponse, method: string): Promise<boolean> {
  if (!isRefusal(answer)) return false;
  const isJson = /\bjson\b/i.test(headerOf(answer, 'content-type') ?? '');
  if (method === 'HEAD') return !isJson && headerOf(answer, 'docker-distribution-api-version') === undefined;
  return !isJson || !hasCode(await wholeBody(answer, maxErrorBytes).catch(() => new Uint8Array()));
}

function hasCode(bytes: Uint8Array): boolean {
  const [first] = listOf(field(jsonOrNone(bytes), 'errors'));
  return typeof field(first, 'code') === 'string';
}
