// Room `console/wire`: what the page and the server say to each other. In: answers and events of
// the server. Out: values for views. Imports: nothing.

/** The server refused, or did not answer; the message is for people. */
export class ServerRefusal extends Error {
  override readonly name = 'ServerRefusal';
  /** 0 where there was no answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface AskOptions {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Sent as JSON, or a text as it is. */
  readonly body?: object | string;
  readonly signal?: AbortSignal;
}

/** The server's answer as JSON; undefined for an empty one. Throws `ServerRefusal`. */
export async function ask<Answer>(path: string, { method = 'GET', body, signal }: AskOptions = {}) {
  const isText = typeof body === 'string';
  const response = await fetch(`../${path}`, {
    method,
    cache: 'no-store',
    headers: {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': isText ? 'text/plain' : 'application/json' }),
    },
    ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    ...(signal && { signal }),
  }).catch((cause: unknown) => {
    if (signal?.aborted === true) throw cause;
    throw new ServerRefusal(0, 'The server does not answer.');
  });
  const text = await response.text();
  if (!response.ok) throw new ServerRefusal(response.status, refusalText(response.status, text));
  return (text === '' ? undefined : JSON.parse(text)) as Answer;
}

/** The path with the parameters that are not empty. */
export function withQuery(path: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== '') query.set(name, value);
  return query.size === 0 ? path : `${path}?${query}`;
}

/** Errors are those of the distribution spec, or plain text. */
function refusalText(status: number, text: string): string {
  let message = text.trim();
  try {
    const { errors } = JSON.parse(text) as { errors?: { message?: string }[] };
    message = errors?.[0]?.message ?? message;
  } catch {
    // Plain text, then.
  }
  const words = message === '' ? `the server answered ${status}` : message;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.)]$/.test(words) ? '' : '.'}`;
}
