import { useCallback, useEffect, useState } from 'preact/hooks';
import { ask } from '../wire/api.ts';

/** An answer of the server: none yet, a value, or why there is none. */
interface ServerAnswer<Value> {
  readonly value?: Value;
  readonly error?: Error;
  /** Asks again, and shows the old answer meanwhile. */
  readonly again: () => void;
}

/** What the server answers to GET; asked anew when the path changes. An empty path asks nothing. */
export function useAnswer<Value>(path: string): ServerAnswer<Value> {
  const [answer, setAnswer] = useState<{ path: string; value?: Value; error?: Error }>({ path });
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => setTurn((count) => count + 1), []);
  useEffect(() => {
    if (path === '') return undefined;
    const leaving = new AbortController();
    ask<Value>(path, { signal: leaving.signal })
      .then((value) => setAnswer({ path, value }))
      .catch((error: Error) => !leaving.signal.aborted && setAnswer({ path, error }));
    return () => leaving.abort();
  }, [path, turn]);
  const { value, error } = answer.path === path ? answer : {};
  return { again, ...(value !== undefined && { value }), ...(error !== undefined && { error }) };
}
