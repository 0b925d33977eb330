import type { IncomingMessage } from 'node:http';
import { field, jsonOrNone, listOf, textOf } from '../../../base/text/json.ts';
import { scrubbed } from '../../../base/text/redaction.ts';
import type { LinkFinding } from './link.ts';

type Trouble = Omit<LinkFinding, 'bytes' | 'seconds'>;

/** Why a link does not give what it should. */
export class LinkTrouble extends Error {
  override readonly name = 'LinkTrouble';
  readonly trouble: Trouble;

  constructor(trouble: Trouble) {
    const reason = printable(trouble.reason);
    super(reason);
    this.trouble = { ...trouble, reason };
  }
}

const longestBody = 64 * 1024;
const longestReason = 300;

/** An answer that is no success, in the registry's own words. Reads its body. */
export async function refusal(answer: IncomingMessage, step: LinkFinding['step']): Promise<LinkTrouble> {
  const { statusCode: status = 0, headers } = answer;
  const body = await bodyOf(answer);
  const [first] = listOf(field(jsonOrNone(body), 'errors'));
  const code = textOf(field(first, 'code'));
  const words = textOf(field(first, 'message')) ?? textOf(field(first, 'detail'));
  const [line = ''] = body.trim().split('\n');
  const reason = words ?? (headers['content-type']?.includes('html') === true ? 'a web page' : line);
  const isPassing = status === 408 || status === 429 || status >= 500;
  const [requestId, retryAfter] = [headers['x-request-id'], headers['retry-after']];
  return new LinkTrouble({
    verdict: isPassing ? 'unknown' : 'wrong',
    step,
    status,
    reason: reason || answer.statusMessage || 'no reason given',
    ...(code === undefined ? {} : { code: printable(code) }),
    ...(typeof requestId === 'string' ? { requestId: printable(requestId) } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter: printable(retryAfter) }),
  });
}

/** Nothing listens, no such name, no TLS or no trust: wrong. Silence and cuts may pass: unknown. */
const certain =
  /^(?:ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EPROTO|ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA)/;

/** What became of a connection, in words. */
export function connectionTrouble(
  error: NodeJS.ErrnoException,
  url: URL,
  step: LinkFinding['step'],
  timeoutMs: number,
): LinkTrouble {
  const cause = error.code ?? 'unknown';
  return new LinkTrouble({
    verdict: certain.test(cause) ? 'wrong' : 'unknown',
    step,
    cause,
    reason: `${url.host} ${connectionWords(cause, error, timeoutMs)}`,
  });
}

/** Whether that is what comes of TLS to a port that speaks something else. */
export function isNoTls(cause: string): boolean {
  return cause === 'EPROTO' || cause.startsWith('ERR_SSL_');
}

function connectionWords(cause: string, error: Error, timeoutMs: number): string {
  if (cause === 'ECONNREFUSED') return 'refuses the connection: nothing listens there';
  if (cause === 'ENOTFOUND') return 'is not a name that this machine can resolve';
  if (cause === 'ETIMEDOUT') return `does not answer within ${timeoutMs / 1000} s`;
  if (cause === 'ECONNRESET') return 'closed the connection without an answer';
  if (isNoTls(cause)) return 'does not speak TLS';
  if (certain.test(cause)) return `has a certificate that is not trusted: ${printable(error.message)}`;
  return printable(error.message);
}

/** A short body as text; what is longer, or was cut, ends early. */
export async function bodyOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of answer) {
      const bytes = Buffer.from(chunk);
      chunks.push(bytes);
      size += bytes.byteLength;
      if (size > longestBody) break;
    }
  } catch {
    // What came is what there is: a refusal whose body is cut is still one.
  }
  return Buffer.concat(chunks).toString('utf8').slice(0, longestBody);
}

/** What comes from outside: one line of printable characters, without a secret. */
function printable(text: string): string {
  return scrubbed(text)
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .slice(0, longestReason);
}
