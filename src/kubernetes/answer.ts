import type { Dispatcher } from 'undici';
import { field, jsonOrNone, textOf as textIn } from '../base/text/json.ts';
import { oneLine } from '../base/text/one-line.ts';
import { ApiFailure } from './failure.ts';

type ApiAnswer = Dispatcher.ResponseData;

/** A reason of the server is quoted up to so many characters. */
const longestReason = 400;

/**
 * The body of a 200 or 201; throws `ApiFailure` for another status or a body that is too long. Its
 * text quotes the server's reason only where that cannot repeat a secret.
 */
export async function textOf(answer: ApiAnswer, maxBytes: number, quotesReason = false): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new ApiFailure('invalid', `answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const { statusCode: status } = answer;
  if (status === 200 || status === 201) return Buffer.concat(chunks).toString();
  const reason = quotesReason ? reasonIn(Buffer.concat(chunks).toString()) : '';
  throw refusal(status, answer.headers['retry-after'], reason);
}

/** The `message` of a `Status`, behind a colon. */
function reasonIn(body: string): string {
  const message = textIn(field(jsonOrNone(body), 'message'));
  return message === undefined ? '' : `: ${oneLine(message, longestReason)}`;
}

/** JSON. The parser's message quotes the text, and a token may be in it: it goes no further. */
export function parsed<Body>(text: string): Body {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiFailure('invalid', 'answered with something that is not JSON');
  }
}

function refusal(
  status: number,
  retryAfter: string | readonly string[] | undefined,
  reason: string,
): ApiFailure {
  if (status === 401 || status === 403) {
    const why = status === 401 ? ': it does not accept the credentials of this service' : '';
    return new ApiFailure('not-allowed-to-ask', `refuses the request (${status})${why}${reason}`, { status });
  }
  const isSeconds = typeof retryAfter === 'string' && /^\d{1,6}$/.test(retryAfter);
  return new ApiFailure('status', `answered with status ${status}${reason}`, {
    status,
    ...(isSeconds ? { retryAfterSeconds: Number(retryAfter) } : {}),
  });
}

/** The failure of a call as an `ApiFailure`; `lateMs` is the time limit, if it was exceeded. */
export function failureOf(error: unknown, lateMs: number | undefined): ApiFailure {
  if (error instanceof ApiFailure) return error;
  return lateMs === undefined
    ? new ApiFailure('unreachable', 'cannot be reached', { cause: error })
    : new ApiFailure('slow', `did not answer within ${lateMs} ms`, { cause: error });
}
