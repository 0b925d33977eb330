/** Joins the call under that key, or makes it. A failure goes to all who wait, and is forgotten. */
type SingleFlight<Value> = (key: string, call: () => Promise<Value>) => Promise<Value>;

/** One call per key at a time, shared by all who wait. It must not use one caller's signal. */
export function createSingleFlight<Value>(): SingleFlight<Value> {
  const open = new Map<string, Promise<Value>>();
  return (key, call) => {
    const found = open.get(key);
    if (found !== undefined) return found;
    const promise = call().finally(() => open.delete(key));
    open.set(key, promise);
    return promise;
  };
}

/** The same call, made once for all who ask while it is under way. */
export function shared<Value>(call: () => Promise<Value>): () => Promise<Value> {
  const flight = createSingleFlight<Value>();
  return () => flight('', call);
}
