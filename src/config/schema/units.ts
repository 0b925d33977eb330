/** Units of time and their milliseconds, as they may follow a number in a setting. */
const timeUnits: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Units of size and their bytes: powers of 1000 without an `i`, of 1024 with it. */
const sizeUnits: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['kB', 1000],
  ['KB', 1000],
  ['MB', 1000 ** 2],
  ['GB', 1000 ** 3],
  ['TB', 1000 ** 4],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
  ['TiB', 1024 ** 4],
]);

const quantityShape = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/;

/** The milliseconds of `30s`, `1.5h`, or a plain number of them; throws what is accepted. */
export function parseMs(value: unknown): number {
  return (
    quantity(value, timeUnits) ?? refuse('a number of milliseconds, or text such as 500ms, 30s, 5m, 2h, 7d')
  );
}

/** The seconds of `30s`, `6h`, or a plain number of seconds; throws what is accepted. */
export function parseSeconds(value: unknown): number {
  if (typeof value === 'number' && isAmount(value)) return value;
  const ms = typeof value === 'string' ? quantity(value, timeUnits) : undefined;
  return ms !== undefined && ms % 1000 === 0
    ? ms / 1000
    : refuse('a whole number of seconds, or text such as 30s, 5m, 6h');
}

/** The bytes of `50GiB`, `200MB`, or a plain number of bytes; throws what is accepted. */
export function parseBytes(value: unknown): number {
  return quantity(value, sizeUnits) ?? refuse('a number of bytes, or text such as 64MiB, 50GiB, 200MB');
}

function quantity(value: unknown, units: ReadonlyMap<string, number>): number | undefined {
  if (typeof value === 'number') return isAmount(value) ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const [, amount, unit = ''] = quantityShape.exec(value) ?? [];
  const factor = units.get(unit);
  if (amount === undefined || factor === undefined) return undefined;
  const total = Math.round(Number(amount) * factor);
  return isAmount(total) ? total : undefined;
}

function isAmount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function refuse(accepted: string): never {
  throw new Error(`must be ${accepted}`);
}
