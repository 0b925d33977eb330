import { gunzipSync } from 'node:zlib';
import { parseDocument } from 'yaml';

/** A file that must not be used, with everything that is wrong with it, a line each. */
export class MirrorConfigError extends Error {
  override readonly name = 'MirrorConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** More than this is no configuration, unpacked or not: bytes. */
const longestFile = 16 * 1024 * 1024;

/** The file as data, packed by gzip or not. Throws `MirrorConfigError`. */
export function dataOf(file: Uint8Array): unknown {
  try {
    const document = parseDocument(textOf(file));
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS() ?? {};
  } catch (error) {
    throw new MirrorConfigError([firstLine(error instanceof Error ? error.message : String(error))]);
  }
}

function textOf(file: Uint8Array): string {
  const isPacked = file[0] === 0x1f && file[1] === 0x8b;
  try {
    const bytes = isPacked ? gunzipSync(file, { maxOutputLength: longestFile }) : file;
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('the file is neither text nor packed by gzip');
  }
}

/** The values of an object's keys, whatever their case; `null` counts as absent. */
export function fieldsOf<Key extends string>(
  value: unknown,
  keys: readonly Key[],
  place: string,
  faults: string[],
): { readonly [Each in Key]?: unknown } {
  const found: { [Each in Key]?: unknown } = {};
  for (const [written, field] of entriesOf(value, place, faults)) {
    const key = keys.find((each) => each.toLowerCase() === written.toLowerCase());
    if (key === undefined) faults.push(`${placed(place)}unknown field ${JSON.stringify(written)}`);
    else if (found[key] !== undefined)
      faults.push(`${placed(place)}key ${JSON.stringify(written)} already set`);
    else if (field !== null) found[key] = field;
  }
  return found;
}

/** The same where each value is a text; an empty one counts as absent. */
export function textsOf<Key extends string>(
  value: unknown,
  keys: readonly Key[],
  place: string,
  faults: string[],
): { readonly [Each in Key]?: string } {
  const fields = fieldsOf(value, keys, place, faults);
  const texts: { [Each in Key]?: string } = {};
  for (const key of keys) {
    const field = fields[key];
    if (typeof field === 'string' && field !== '') texts[key] = field;
    else if (field !== undefined && field !== '') faults.push(`${placed(place)}${key} must be text`);
  }
  return texts;
}

/** What a map holds; nothing where there is none. */
export function entriesOf(value: unknown, place: string, faults: string[]): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value);
  if (value !== undefined && value !== null) faults.push(`${placed(place)}must be a map`);
  return [];
}

/** What a list holds; nothing where there is none. */
export function itemsOf(value: unknown, place: string, faults: string[]): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value !== undefined && value !== null) faults.push(`${placed(place)}must be a list`);
  return [];
}

function placed(place: string): string {
  return place === '' ? '' : `${place}: `;
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/:$/, '');
}
