/** Joins the call under that key, or makes it. A failure goes to everybody who waited, and is forgotten. */
export type Shared<Value> = (key: string, call: () => Promise<Value>) => Promise<Value>;

/**
 * The same question asked again while it is open gets the same answer: one call, however many ask. The call must not
 * depend on the signal of one of those who ask.
 */
export function shared<Value>(): Shared<Value> {
  const open = new Map<string, Promise<Value>>();
  return (key, call) => {
    const found = open.get(key);
    if (found !== undefined) return found;
    const promise = call().finally(() => open.delete(key));
    open.set(key, promise);
    return promise;
  };
}
