/** Units of Go's `time.ParseDuration`, in milliseconds. */
const unitMs: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

const shape =
  /^\+?(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*$/u;
const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/guy;

/**
 * The milliseconds of a duration of Go's tools: `10s`, `21600s`, `6h0m0s`, `1.5h`, `0`. Throws an
 * Error that says what is accepted; negative ones are not.
 */
export function parseGoDuration(text: string): number {
  if (/^\+?0$/.test(text)) return 0;
  if (!shape.test(text)) throw new Error('must be a duration such as 10s, 21600s or 6h0m0s');
  const parts = [...text.matchAll(part)];
  return Math.round(
    parts.reduce((total, [, count, unit = '']) => total + Number(count) * (unitMs.get(unit) ?? 0), 0),
  );
}
