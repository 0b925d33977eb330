const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;
const narrow = '\u202f';

/** `12.3 MB` */
export function bytesText(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${narrow}${units[unit]}`;
}

const counts = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const small = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** `12,345` */
export function countText(count: number): string {
  return counts.format(count);
}

/** `12.3` for small numbers. */
export function rateText(value: number): string {
  return value >= 10 ? counts.format(value) : small.format(value);
}

/** `one upstream`, `3 upstreams`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** `98.7 %` */
export function percentText(part: number): string {
  const percent = part * 100;
  const digits = percent > 99.9 && percent < 100 ? 2 : percent === 0 || percent === 100 ? 0 : 1;
  return `${percent.toFixed(digits)}${narrow}%`;
}

/** `3 min` */
export function spanText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) return `${Math.round(seconds)}${narrow}s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)}${narrow}min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)}${narrow}h`;
  return plural(Math.round(seconds / 86_400), 'day');
}

/** `3 min ago` */
export function agoText(at: number, now = Date.now()): string {
  return now - at < 2_000 ? 'now' : `${spanText(now - at)} ago`;
}

/** `140 ms`, `2.4 s` */
export function latencyText(ms: number | undefined): string {
  if (ms === undefined) return '–';
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)}${narrow}s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}${narrow}ms`;
}

/** `30 Nov 2026, 12:05` in the browser's time zone. */
export function timeText(at: number): string {
  return new Date(at).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

/** `12:05:09` */
export function clockText(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

/** `sha256:0123456789ab…` */
export function shortDigest(digest: string): string {
  const colon = digest.indexOf(':');
  return digest.length > colon + 13 ? `${digest.slice(0, colon + 13)}…` : digest;
}
