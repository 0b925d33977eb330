const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `12.3 MB` */
export function bytesText(bytes: number): string {
  if (bytes < 0) return 'of unknown size';
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/** `12 November 2026`, in UTC. */
export function dayText(at: number): string {
  const day = new Date(at);
  if (Number.isNaN(day.getTime())) return 'an unknown day';
  return `${day.getUTCDate()} ${months[day.getUTCMonth()]} ${day.getUTCFullYear()}`;
}

/** `2026-11-29T15:40:00Z`; empty for no time. */
export function timeText(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? '' : time.toISOString().replace(/\.\d+Z$/, 'Z');
}

const steps = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
] as const;

/** `5 min`, in the largest unit that fits; `0 s` below a second. */
export function spanText(ms: number): string {
  const [size, unit] = steps.find(([each]) => ms >= each) ?? [1000, 's'];
  return `${Math.floor(Math.max(0, ms) / size)} ${unit}`;
}
