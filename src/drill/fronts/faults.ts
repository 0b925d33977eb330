// Room `drill/fronts`: ways to a server that misbehave on purpose. In: a server, a fault. Out: a
// port of loopback. Imports: base.

/** What happens to requests that a front would pass. */
export interface HttpFault {
  readonly kind: FaultKind;
  /** Which requests it meets. Default: all. */
  readonly meets?: (method: string, path: string) => boolean;
  /** `status`: the whole answer. */
  readonly answer?: FaultAnswer;
  /** `slow`: before the head of an answer, milliseconds. */
  readonly headMs?: number;
  /** `slow`: of each body. */
  readonly bytesPerSecond?: number;
  /** `swapped`: the path that is asked for instead; undefined lets it pass. */
  readonly instead?: (path: string) => string | undefined;
}

/**
 * `dead`: connections are reset. `silent`: they stay open, and bring nothing. `cut`: half of a body
 * comes, then a reset. `truncated`: an answer of half the bytes, whole by its own words. `garbled`:
 * all bytes, of which some are wrong.
 */
type FaultKind = 'dead' | 'silent' | 'slow' | 'status' | 'cut' | 'truncated' | 'garbled' | 'swapped';

interface FaultAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The body, as the fault lets it come. `length`: what its head said; undefined: it did not. */
export async function* troubled(
  chunks: AsyncIterable<Uint8Array>,
  { kind, bytesPerSecond }: HttpFault,
  length: number | undefined,
  pause: (ms: number) => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const half = Math.floor((length ?? 0) / 2);
  let sent = 0;
  for await (const chunk of chunks) {
    const from = sent;
    sent += chunk.byteLength;
    if (kind === 'slow' && bytesPerSecond !== undefined) yield* trickled(chunk, bytesPerSecond, pause);
    else if (kind === 'garbled') yield garbled(chunk);
    else if ((kind === 'cut' || kind === 'truncated') && sent > half) {
      yield chunk.subarray(0, half - from);
      if (kind === 'cut') throw new Error('the drill cuts this answer');
      return;
    } else yield chunk;
  }
}

/** In pieces of a tenth of a second. */
async function* trickled(chunk: Uint8Array, bytesPerSecond: number, pause: (ms: number) => Promise<void>) {
  const piece = Math.max(1, Math.floor(bytesPerSecond / 10));
  for (let at = 0; at < chunk.byteLength; at += piece) {
    yield chunk.subarray(at, at + piece);
    await pause(100);
  }
}

/** Every thousandth byte is another one, the first too. */
function garbled(chunk: Uint8Array): Uint8Array {
  const wrong = Uint8Array.from(chunk);
  for (let at = 0; at < wrong.byteLength; at += 1_000) wrong[at] = (wrong[at] ?? 0) ^ 0xff;
  return wrong;
}
