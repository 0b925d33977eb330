import { isObject, parseJson } from '../base/text/json.ts';
import type { Descriptor } from './content.ts';
import { type Digest, isNamedBy } from './digest.ts';
import { mediaTypes } from './manifest.ts';

/** How a signature describes the payload that it signs. */
interface Format {
  /** Bytes of the payload that the document begins with. */
  readonly formatLength: number;
  /** The rest of the payload, base64url. */
  readonly formatTail: string;
}

/** True for the two types of Docker schema 1, which newer registries refuse. */
export function isSchema1({ mediaType }: Pick<Descriptor, 'mediaType'>): boolean {
  return mediaType === mediaTypes.dockerSchema1 || isSignedSchema1({ mediaType });
}

/** True for the type whose digest covers only a part: documents may share a digest. */
export function isSignedSchema1({ mediaType }: { readonly mediaType?: string | undefined }): boolean {
  return mediaType === mediaTypes.dockerSchema1Signed;
}

/**
 * The bytes that name a manifest. All of them, but for a signed schema 1 manifest: its digest is
 * that of the payload below its signatures (image manifest version 2, schema 1, "Signed
 * Manifests"). The document describes the payload itself, so the description is believed only where
 * the document is that payload with signatures put before its last brace: whatever is read of the
 * document is then read of the payload. Any other description yields all the bytes, which then fit
 * no digest.
 */
export function namedBytes(bytes: Uint8Array, mediaType: string): Uint8Array {
  if (!isSignedSchema1({ mediaType })) return bytes;
  try {
    return payloadOf(bytes) ?? bytes;
  } catch {
    return bytes;
  }
}

/** Whether the digest is that of the manifest's bytes, or of their signed payload. */
export function isManifestNamedBy(bytes: Uint8Array, mediaType: string, digest: Digest): boolean {
  return isNamedBy(digest, namedBytes(bytes, mediaType));
}

/** Undefined unless the payload is a schema 1 manifest, and the document's beginning. */
function payloadOf(bytes: Uint8Array): Uint8Array | undefined {
  const format = formatOf(parseJson(bytes));
  if (format === undefined || format.formatLength > bytes.length) return undefined;
  const head = bytes.subarray(0, format.formatLength);
  const tail = Buffer.from(format.formatTail, 'base64url');
  if (!/^[ \t\r\n]*\}[ \t\r\n]*$/.test(tail.toString('latin1'))) return undefined;
  if (!isSignatures(bytes.subarray(format.formatLength))) return undefined;
  const payload = Buffer.concat([head, tail]);
  const manifest = parseJson(payload);
  const isManifest = isObject(manifest) && manifest['schemaVersion'] === 1 && !('signatures' in manifest);
  return isManifest ? payload : undefined;
}

/** What all signatures say alike; undefined when they do not, or there are none. */
function formatOf(document: unknown): Format | undefined {
  const signatures: unknown = isObject(document) ? document['signatures'] : undefined;
  if (!Array.isArray(signatures)) return undefined;
  const formats = signatures.map(protectedFormat);
  const [first] = formats;
  const isAgreed = formats.every(
    (each) => each?.formatLength === first?.formatLength && each?.formatTail === first?.formatTail,
  );
  return isAgreed ? first : undefined;
}

function protectedFormat(signature: unknown): Format | undefined {
  const header: unknown = isObject(signature) ? signature['protected'] : undefined;
  if (typeof header !== 'string') return undefined;
  const format = parseJson(Buffer.from(header, 'base64url'));
  if (!isObject(format)) return undefined;
  const { formatLength, formatTail } = format;
  if (typeof formatLength !== 'number' || !Number.isSafeInteger(formatLength)) return undefined;
  return formatLength > 0 && typeof formatTail === 'string' ? { formatLength, formatTail } : undefined;
}

/** Whether the text is only `,"signatures":[…]}`: a second key would be unsigned. */
function isSignatures(rest: Uint8Array): boolean {
  const text = Buffer.from(rest).toString('utf8');
  const opening = /^,[ \t\r\n]*"signatures"[ \t\r\n]*:/.exec(text)?.[0];
  const closing = text.lastIndexOf('}');
  if (opening === undefined || !/^\}[ \t\r\n]*$/.test(text.slice(closing))) return false;
  return Array.isArray(JSON.parse(text.slice(opening.length, closing)));
}
