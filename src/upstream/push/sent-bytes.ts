import { type Bytes, type Descriptor, mismatch } from '../../oci/content.ts';
import { digester, isMatch } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';

/** A blob on its way to a registry: reopened after each interruption, verified as it goes. */
export interface SentBytes {
  /** Undefined where it was not known beforehand and the end was not seen yet. */
  readonly size: number | undefined;
  /** Bytes from the beginning that went through here. */
  readonly seen: number;
  /** What the source failed with. */
  readonly failure: unknown;
  /** The bytes from `start`, `length` or all. Continues the last piece, else reopens the source. */
  from(start: number, length?: number): Bytes;
  /** Lets go of the source. */
  close(): void;
}

/**
 * A socket that gets less than this at once may keep a chunk by reference after it asked for the
 * next one, while a borrowed chunk changes under it. Twice the mark at which Node's sockets want to
 * be drained, bytes.
 */
const surelyDrained = 128 * 1024;
/** Smaller chunks are gathered to that size for at most this long, ms: a slow source flows on. */
const longestGatherMs = 100;

interface SourceReading {
  source?: AsyncIterator<Uint8Array>;
  position: number;
  /** Of the last chunk, what did not fit the piece. */
  rest?: Uint8Array | undefined;
}

/**
 * The source's bytes, hashed once each. Bytes that match neither digest nor size throw
 * `UPSTREAM_INVALID` before the last chunk is passed on, so that no registry ever holds the whole
 * of a wrong blob. Errors of the source are thrown as a `RegistryError`. An interrupted request may
 * still wait for a chunk, which is then dropped.
 */
export function createSentBytes(descriptor: Descriptor, open: (start: number) => Promise<Bytes>): SentBytes {
  const check = runningCheck(descriptor);
  let active: SourceReading | undefined;
  let isAtRest = false;
  let failure: unknown;
  const isOver = (reading: SourceReading): boolean => active !== reading;
  const nextChunk = async (reading: SourceReading): Promise<Uint8Array | undefined> => {
    reading.source ??= (await open(reading.position))[Symbol.asyncIterator]();
    if (isOver(reading)) return released(reading);
    const { done, value } = await reading.source.next();
    if (isOver(reading)) return released(reading);
    const chunk = done === true ? undefined : value;
    check.saw(reading.position, chunk);
    return chunk;
  };
  const next = async (reading: SourceReading): Promise<Uint8Array | undefined> => {
    try {
      return reading.rest ?? (await nextChunk(reading));
    } catch (error) {
      const refusal = sourceFailure(error);
      if (!isOver(reading)) failure = refusal;
      throw refusal;
    }
  };
  const close = (): void => {
    if (active !== undefined) released(active);
    active = undefined;
  };
  return {
    get size() {
      return check.size;
    },
    get seen() {
      return check.seen;
    },
    get failure() {
      return failure;
    },
    close,
    async *from(start, length = Number.POSITIVE_INFINITY) {
      if (!isAtRest || active?.position !== start) close();
      const reading: SourceReading = active ?? { position: start };
      active = reading;
      isAtRest = false;
      const gathered = gathering();
      for (let left = length; left > 0 && reading.position !== check.size; ) {
        const chunk = await next(reading);
        if (chunk === undefined) break;
        const piece = chunk.byteLength > left ? chunk.subarray(0, left) : chunk;
        reading.rest = piece === chunk ? undefined : chunk.subarray(left);
        reading.position += piece.byteLength;
        left -= piece.byteLength;
        yield* gathered.with(piece);
      }
      yield* gathered.rest();
      // Not only on `close`, which follows the end of everything open: keeps the source's
      // connection.
      if (reading.position === check.size) released(reading);
      isAtRest = !isOver(reading);
    },
  };
}

/** Small chunks in large ones, which a socket has consumed when it asks for more. */
function gathering() {
  let held: Buffer | undefined;
  let length = 0;
  let since = performance.now();
  function* rest(): Generator<Uint8Array, void, undefined> {
    if (held === undefined || length === 0) return;
    const bytes = held.subarray(0, length);
    length = 0;
    yield bytes.byteLength < surelyDrained ? Buffer.from(bytes) : bytes;
    since = performance.now();
  }
  return {
    rest,
    *with(piece: Uint8Array): Generator<Uint8Array, void, undefined> {
      if (length + piece.byteLength > 2 * surelyDrained) yield* rest();
      if (piece.byteLength >= surelyDrained && length === 0) return yield piece;
      held ??= Buffer.allocUnsafeSlow(2 * surelyDrained);
      held.set(piece, length);
      length += piece.byteLength;
      if (length >= surelyDrained || performance.now() - since > longestGatherMs) yield* rest();
    },
  };
}

/** Releases the source, which may answer whenever it likes. */
function released({ source }: SourceReading): undefined {
  source?.return?.().then(ignored, ignored);
}

/** The hash of a blob whose beginning may come several times. */
function runningCheck(descriptor: Descriptor) {
  const { digest } = descriptor;
  const hash = digester(digest);
  let size = descriptor.size < 0 ? undefined : descriptor.size;
  let seen = 0;
  let isRight = false;
  const conclude = (): void => {
    isRight ||= isMatch(hash, digest);
    if (!isRight) throw mismatch(descriptor, seen);
    size = seen;
  };
  return {
    get size() {
      return size;
    },
    get seen() {
      return seen;
    },
    /** The chunk that begins at `position`; none at the end. */
    saw(position: number, chunk: Uint8Array | undefined): void {
      const end = position + (chunk?.byteLength ?? 0);
      if (end > (size ?? end) || (chunk === undefined && end < (size ?? end)))
        throw mismatch(descriptor, end);
      if (chunk !== undefined && end > seen && !isRight) {
        hash.update(chunk.subarray(seen - position));
        seen = end;
      }
      if (chunk === undefined || end === size) conclude();
    },
  };
}

/** What comes from elsewhere is not the registry's failure; a code says that it may pass. */
function sourceFailure(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  return new RegistryError('UNAVAILABLE', 'the source interrupted the blob', { cause: error });
}

function ignored(): void {
  // The source was let go of; how it takes that is its own business.
}
