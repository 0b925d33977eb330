import type { LogRecord } from './request.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const minuteMs = 60_000;

/**
 * A line of the combined log format, of Apache, nginx and docker-registry: `client - user [time]
 * "METHOD url HTTP/1.1" status bytes "referrer" "user agent"`. Times have whole seconds. What
 * container engines write before the line does not matter.
 */
export function accessRecord(text: string): LogRecord {
  const open = text.indexOf(' [');
  const close = text.indexOf('] "', open);
  if (open < 0 || close < 0) return 'bad';
  const start = close + 3;
  const end = endOfQuoted(text, start);
  const [statusText = '', bytesText = ''] = text.slice(end + 2).split(' ', 2);
  const atMs = timeOf(text.slice(open + 2, close));
  const status = Number(statusText);
  if (atMs === undefined || !Number.isInteger(status) || status < 100) return 'bad';
  const [method = '', url = '', ...more] = text.slice(start, end).split(' ');
  // What is not HTTP is logged as it came, for example TLS on a port without it.
  if (!isToken(method) || url === '' || more.length > 1) return 'other line';
  const bytes = Number(bytesText);
  return {
    atMs,
    isWholeSecond: true,
    client: text.slice(0, open).split(' ').at(-3) ?? 'unknown',
    method,
    url,
    status,
    ...(bytesText !== '' && Number.isInteger(bytes) ? { bytes } : {}),
  };
}

/** `29/Nov/2026:20:43:26 +0000` in milliseconds since 1970. */
function timeOf(text: string): number | undefined {
  const month = months.indexOf(text.slice(3, 6));
  const [day, year, hour, minute, second] = [
    text.slice(0, 2),
    text.slice(7, 11),
    text.slice(12, 14),
    text.slice(15, 17),
    text.slice(18, 20),
  ].map(Number);
  if (month < 0 || day === undefined || year === undefined) return undefined;
  const local = Date.UTC(year, month, day, hour, minute, second);
  const offset = Number(text.slice(22, 24)) * 60 + Number(text.slice(24, 26));
  const utc = local - (text[21] === '-' ? -offset : offset) * minuteMs;
  return Number.isFinite(utc) ? utc : undefined;
}

/** Where the text ends: at a quote that no backslash is before. */
function endOfQuoted(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function isToken(method: string): boolean {
  return /^[A-Z]{3,16}$/.test(method);
}
