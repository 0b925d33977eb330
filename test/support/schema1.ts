/**
 * A payload with a signature block put before its last brace, as the Docker registry formats it.
 */
export function signedSchema1(payload: string, signature = 'x'): Buffer {
  const tail = '\n}';
  const head = payload.slice(0, -tail.length);
  const format = {
    formatLength: Buffer.byteLength(head),
    formatTail: Buffer.from(tail).toString('base64url'),
  };
  const protectedHeader = Buffer.from(JSON.stringify(format)).toString('base64url');
  return Buffer.from(
    `${head},\n   "signatures": [{"protected": "${protectedHeader}", "signature": "${signature}"}]\n}`,
  );
}

/**
 * A signed document with a payload of its own choice: registries that believe its description keep
 * it under the digest of `claimed`. It lists what `listed` says.
 */
export function forgedSchema1(claimed: Uint8Array, listed: object): Buffer {
  const format = { formatLength: 0, formatTail: Buffer.from(claimed).toString('base64url') };
  const header = Buffer.from(JSON.stringify(format)).toString('base64url');
  return Buffer.from(JSON.stringify({ schemaVersion: 1, ...listed, signatures: [{ protected: header }] }));
}
