import type { Dispatcher } from 'undici';
import { ApiFailure } from './failure.ts';

type ApiAnswer = Dispatcher.ResponseData;

/** The body of a 200 or 201; throws `ApiFailure` for another status or a body that is too long. */
export async function textOf(answer: ApiAnswer, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new ApiFailure('invalid', `answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const { statusCode: status } = answer;
  if (status === 200 || status === 201) return Buffer.concat(chunks).toString();
  throw refusal(status, answer.headers['retry-after']);
}

/** JSON. The parser's message quotes the text, and a token may be in it: it goes no further. */
export function parsed<Body>(text: string): Body {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiFailure('invalid', 'answered with something that is not JSON');
  }
}

function refusal(status: number, retryAfter: string | readonly string[] | undefined): ApiFailure {
  if (status === 401 || status === 403) {
    const why = status === 401 ? ': it does not accept the credentials of this service' : '';
    return new ApiFailure('not-allowed-to-ask', `refuses the request (${status})${why}`, { status });
  }
  const isSeconds = typeof retryAfter === 'string' && /^\d{1,6}$/.test(retryAfter);
  return new ApiFailure('status', `answered with status ${status}`, {
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
