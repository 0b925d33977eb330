/** What may be there already: then nobody waits a turn of the event loop for it. */
export type Soon<Value> = Value | Promise<Value>;

/** Goes on with the value: now if it is there, else when it comes. Throws or rejects as either of the two steps does. */
export function soon<Value, Next>(value: Soon<Value>, next: (value: Value) => Soon<Next>): Soon<Next> {
  return value instanceof Promise ? value.then(next) : next(value);
}
