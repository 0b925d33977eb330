const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes as Go's command lines print a rate: `16.81MB`, four digits, decimal units. */
export function decimalSize(bytes: number): string {
  return inUnits(bytes, 1000, decimalUnits);
}

/** Bytes as they print a size: `1.5MiB`, four digits, binary units. */
export function binarySize(bytes: number): string {
  return inUnits(bytes, 1024, binaryUnits);
}

/** A duration as Go prints it, to the hundredth of a second: `2h33m43.97s`, `1.2s`, `80ms`. */
export function durationText(seconds: number): string {
  const whole = Math.floor(seconds * 100) / 100;
  if (whole < 1) return whole === 0 ? '0s' : `${Math.round(whole * 1000)}ms`;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = `${Number((whole % 60).toFixed(2))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}

function inUnits(bytes: number, base: number, units: readonly string[]): string {
  let value = bytes;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
