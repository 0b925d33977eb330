import type { Descriptor } from './content.ts';
import { mediaTypes } from './manifest.ts';

/** True for the two types of Docker schema 1, which newer registries refuse. */
export function isSchema1({ mediaType }: Descriptor): boolean {
  return mediaType === mediaTypes.dockerSchema1 || mediaType === mediaTypes.dockerSchema1Signed;
}

/**
 * The bytes that name a manifest. All of them, but for a signed schema 1 manifest: its digest is that of the payload below its
 * signatures, as the first of them describes it (image manifest version 2, schema 1, "Signed Manifests"). A
 * description that fits nothing yields all the bytes, which then fit no digest.
 */
export function namedBytes(bytes: Uint8Array, mediaType: string): Uint8Array {
  if (mediaType !== mediaTypes.dockerSchema1Signed) return bytes;
  try {
    const { signatures } = JSON.parse(text(bytes)) as { signatures: { protected: string }[] };
    const format = JSON.parse(text(Buffer.from(signatures[0]?.protected ?? '', 'base64url'))) as {
      formatLength: number;
      formatTail: string;
    };
    return Buffer.concat([
      bytes.subarray(0, format.formatLength),
      Buffer.from(format.formatTail, 'base64url'),
    ]);
  } catch {
    return bytes;
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
