/** A payload with a signature block put before its last brace, as the Docker registry formats it. */
export function signedSchema1(payload: string): Buffer {
  const tail = '\n}';
  const head = payload.slice(0, -tail.length);
  const format = {
    formatLength: Buffer.byteLength(head),
    formatTail: Buffer.from(tail).toString('base64url'),
  };
  const protectedHeader = Buffer.from(JSON.stringify(format)).toString('base64url');
  return Buffer.from(`${head},\n   "signatures": [{"protected": "${protectedHeader}", "signature": "x"}]\n}`);
}
