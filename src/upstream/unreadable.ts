/** The longest answer head, in bytes: Go's clients read 1 MiB, gateways send 60 KiB. */
export const longestHead = 256 * 1024;

const malformedCode = 'ERR_MALFORMED_ANSWER';

/** An answer that is no HTTP. */
export function malformed(what: string): Error {
  return Object.assign(new Error(`the answer has a malformed ${what}`), { code: malformedCode });
}

/** True for the failure to read one answer as HTTP: it says nothing of the next one. */
export function isUnreadable(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === malformedCode || code === 'UND_ERR_HEADERS_OVERFLOW' || code.startsWith('HPE_');
}
