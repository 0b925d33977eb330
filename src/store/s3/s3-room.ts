/** Room in memory for parts that wait to be sent, shared by all uploads. */
export interface PartRoom {
  /** Resolves to the release of one part's room, first come, first served. Throws the signal's reason. */
  take(signal?: AbortSignal): Promise<() => void>;
}

export function partRoom(maxParts: number): PartRoom {
  const waiting = new Set<() => void>();
  let free = maxParts;

  function release(): void {
    const [next] = waiting;
    if (next === undefined) {
      free += 1;
    } else {
      waiting.delete(next);
      next();
    }
  }

  function turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const left = (): void => {
      waiting.delete(come);
      reject(signal?.reason);
    };
    const come = (): void => {
      signal?.removeEventListener('abort', left);
      resolve();
    };
    signal?.addEventListener('abort', left, { once: true });
    waiting.add(come);
    return promise;
  }

  return {
    async take(signal) {
      signal?.throwIfAborted();
      if (free > 0) free -= 1;
      else await turn(signal);
      return once(release);
    },
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
