/** A value, or the promise of one: a value that is there costs no turn of the event loop. */
export type MaybePromise<Value> = Value | Promise<Value>;

/** Passes the value on: at once if it is there, else once it resolves. Throws likewise. */
export function andThen<Value, Next>(
  value: MaybePromise<Value>,
  next: (value: Value) => MaybePromise<Next>,
): MaybePromise<Next> {
  return value instanceof Promise ? value.then(next) : next(value);
}
