import { defined } from '../../base/text/defined.ts';
import { fieldsOf, isText, textOf } from '../../base/text/json.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';

const methods = ['GET', 'POST', 'DELETE'] as const;

/** A request to the mirror, passed on to the member that leads it. Its sender had the right. */
export interface ForwardedRequest {
  readonly method: (typeof methods)[number];
  /** The path with its query. */
  readonly url: string;
  /** As JSON has it; absent for none. */
  readonly body?: unknown;
  /** The address of the client, and what it calls itself, for the log. */
  readonly client: string;
  readonly userAgent?: string;
}

/** What the member that leads answered, for the client as it is. */
export interface ForwardedReply {
  readonly status: number;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** What the proof of the answer covers. */
export type ForwardedAnswer =
  | {
      readonly word: 'answered';
      readonly status: number;
      readonly contentType: string;
      /** The digest of the bytes that follow. */
      readonly body: Digest;
    }
  /** The member does not lead: nothing was done. */
  | { readonly word: 'not-leading' };

/** A longer request does not fit into the head that carries it, bytes of JSON. */
export const longestForwarded = 32 * 1024;

/** Undefined for what is no request of this version. */
export function parseForwarded(value: unknown): ForwardedRequest | undefined {
  const { method: written, url, body, client, userAgent } = fieldsOf(value);
  const method = methods.find((known) => known === written);
  if (method === undefined || !isText(url) || !url.startsWith('/')) return undefined;
  return { method, url, client: textOf(client) ?? '', ...defined({ body, userAgent: textOf(userAgent) }) };
}

/** Undefined for what is no answer of this version. */
export function parseForwardedAnswer(value: unknown): ForwardedAnswer | undefined {
  const { word, status, contentType, body } = fieldsOf(value);
  if (word === 'not-leading') return { word };
  const isWhole = typeof status === 'number' && typeof contentType === 'string' && isDigest(body);
  return word === 'answered' && isWhole ? { word, status, contentType, body } : undefined;
}
