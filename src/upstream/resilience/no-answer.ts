/** Why no answer came, by what the system, TLS or undici calls it. */
const reasons: Readonly<Record<string, readonly string[]>> = {
  'its host name cannot be resolved': ['ENOTFOUND', 'EAI_AGAIN'],
  'it does not accept connections': ['ECONNREFUSED'],
  'there is no way to its network': ['EADDRNOTAVAIL', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH'],
  'no connection stood in time': ['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'],
  'no answer came in time': ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'],
  'the connection ended before the answer did': ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'],
  'this process has no file descriptor left': ['EMFILE', 'ENFILE'],
};

const byCode = new Map(
  Object.entries(reasons).flatMap(([why, codes]) => codes.map((code): [string, string] => [code, why])),
);

/** The cause of a failure without an answer, as one clause with the code; empty for an unknown. */
export function noAnswerText(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why = byCode.get(code);
  return why === undefined ? '' : `: ${why} (${code})`;
}
