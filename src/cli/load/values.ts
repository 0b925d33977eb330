import { parseSize } from '../../load/model/sizes.ts';

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3_600e3 };

/** `90s`, `1.5m`, `500ms` as milliseconds. Throws an Error that says what is accepted. */
export function duration(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const factor = milliseconds[unit];
  if (factor !== undefined) return Number(number) * factor;
  throw new Error(`must be a duration such as 500ms, 90s or 5m, not ${text}`);
}

/** A size in bytes. */
export const size = parseSize;

/** A whole number from 1 on. */
export function whole(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new Error(`must be a whole number from 1 on, not ${text}`);
}

/** A number from 0 on, also a fraction. */
export function amount(text: string): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  throw new Error(`must be a number, not ${text}`);
}

/** `10x` or `10`. */
export function speed(text: string): number {
  const value = Number(text.replace(/x$/, ''));
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`must be a factor such as 10x, not ${text}`);
}

/** `8` or `4-12`. */
export function span(text: string): readonly [number, number] {
  const [, least = '', most = least] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(text) ?? [];
  if (Number(least) >= 1 && Number(most) >= Number(least)) return [Number(least), Number(most)];
  throw new Error(`must be a number of layers such as 8 or 4-12, not ${text}`);
}

/** An http or https URL; `http://` where the text has no scheme. */
export function url(text: string): string {
  const whole = text.includes('://') ? text : `http://${text}`;
  if (URL.canParse(whole) && /^https?:$/.test(new URL(whole).protocol))
    return whole.endsWith('/') ? whole.slice(0, -1) : whole;
  throw new Error(`must be a URL such as http://127.0.0.1:8400, not ${text}`);
}

/** One of these words. */
export function oneOf<const Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new Error(`must be one of ${words.join(', ')}, not ${text}`);
  };
}
