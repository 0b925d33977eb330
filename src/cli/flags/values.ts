/** `true` or `false`, as Go reads them. */
export function parseBoolean(text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw new Error(`must be true or false, not ${text}`);
}

/** Written alone, or with `=true` and the like behind. */
export const boolean = { isSwitch: true, read: parseBoolean } as const;

/** One of these words. */
export function oneOf<const Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    const list = words.length === 2 ? words.join(' or ') : `one of ${words.join(', ')}`;
    throw new Error(`must be ${list}, not ${text}`);
  };
}

/** What `-o` takes in every command that prints a result. */
const outputForms = ['text', 'json'] as const;

/** `-o, --output`, the same in every command that prints a result. */
export const output = {
  short: 'o',
  value: 'text|json',
  default: 'text',
  read: oneOf(outputForms),
  help: 'text for people, or json: one document, and failures as JSON on standard error',
} as const;

/** Whether a command prints JSON: by `--output`, or by the older `--json`. */
export function isJson(values: { readonly output: string; readonly json?: boolean | undefined }): boolean {
  return values.output === 'json' || values.json === true;
}

/** A whole number from 1 on. Throws an Error for another text. */
export function count(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new Error(`must be a whole number from 1 on, not ${text}`);
}

/** A number above 0. Throws an Error for another text. */
export function rate(text: string): number {
  if (/^\d{1,5}(\.\d{1,3})?$/.test(text) && Number(text) > 0) return Number(text);
  throw new Error(`must be a number above 0, not ${text}`);
}

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3_600e3 };

/** `90s`, `1.5m`, `500ms` as milliseconds. Throws an Error that says what is accepted. */
export function duration(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const factor = milliseconds[unit];
  if (factor !== undefined) return Number(number) * factor;
  throw new Error(`must be a duration such as 500ms, 90s or 5m, not ${text}`);
}

/** A whole number from 1 on, however large. */
export function whole(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new Error(`must be a whole number from 1 on, not ${text}`);
}

/** A number from 0 on, also a fraction. */
export function amount(text: string): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  throw new Error(`must be a number, not ${text}`);
}

/** An http or https URL; `http://` where the text has no scheme. */
export function url(text: string): string {
  const whole = text.includes('://') ? text : `http://${text}`;
  if (URL.canParse(whole) && /^https?:$/.test(new URL(whole).protocol))
    return whole.endsWith('/') ? whole.slice(0, -1) : whole;
  throw new Error(`must be a URL such as http://127.0.0.1:8400, not ${text}`);
}
