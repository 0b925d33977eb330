/** Header fields by which another process joins the trace of what runs now; empty without one. */
export type TraceHeaders = Readonly<Record<string, string>>;

const none: TraceHeaders = Object.freeze({});

/**
 * An event that lasts: its subscriber calls `run` once, before it returns, and returns what that
 * returns.
 */
export type LastingEvent<Event> = <Result>(event: Event, run: (headers: TraceHeaders) => Result) => Result;

/** Runs the step within its event; alone without a subscriber. */
export function lasting<Event, Result>(
  told: LastingEvent<Event> | undefined,
  event: Event,
  run: (headers: TraceHeaders) => Result,
): Result {
  return told === undefined ? run(none) : told(event, run);
}
