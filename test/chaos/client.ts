import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Action } from './actions.ts';

/** What came of an action. */
export interface Observed {
  /**
   * How the answer ended: with its last byte, broken off, by our leaving; or there was none, or no
   * end to it.
   */
  readonly ended: 'whole' | 'cut' | 'left' | 'unanswered' | 'overdue';
  /** 0 when unanswered. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As much of it as came. */
  readonly body: Buffer;
  /** Why it is cut or unanswered. */
  readonly reason?: string;
}

/** No answer takes longer than this; milliseconds. */
const longestMs = 15_000;
const mostPauses = 40;

/** Does it, and tells what was seen. */
export async function performed(url: string, action: Action, agent: Agent): Promise<Observed> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const asking = request(`${url}${action.path}`, {
    agent,
    method: action.method,
    headers: action.headers,
    signal: AbortSignal.timeout(longestMs),
  });
  asking.once('response', resolve).on('error', reject).end();
  const response = await promise.catch((error: unknown) => String(error));
  if (typeof response === 'string') {
    return { ended: 'unanswered', status: 0, headers: {}, body: Buffer.alloc(0), reason: response };
  }
  return read(response, action);
}

async function read(response: IncomingMessage, { leavesAfter, pauseMs }: Action): Promise<Observed> {
  const chunks: Buffer[] = [];
  let received = 0;
  const seen = (ended: Observed['ended'], reason?: string): Observed => {
    const { statusCode: status = 0, headers } = response;
    const body = Buffer.concat(chunks);
    return { ended, status, headers, body, ...(reason === undefined ? {} : { reason }) };
  };
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      received += chunk.length;
      if (leavesAfter !== undefined && received >= leavesAfter) return seen('left');
      if (pauseMs !== undefined && chunks.length <= mostPauses)
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    return seen(response.complete ? 'whole' : 'cut');
  } catch (error) {
    return seen(isTimeout(error) ? 'overdue' : 'cut', String(error));
  }
}

function isTimeout(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error && cause.name === 'TimeoutError';
}
