// Room `cli/clients`: quayside clients: what container clients are configured with. In: names of
// hosts, and files of a machine. Out: files, and a report. Imports: every room below.

import { parse, stringify } from 'smol-toml';
import { type Fields, isObject } from '../../base/text/json.ts';

/** The table of a TOML file. Throws an Error of one line, without the text of the file. */
export function parseToml(text: string): Fields {
  try {
    const table: unknown = parse(text);
    return isObject(table) ? table : {};
  } catch (error) {
    const [line = 'not TOML'] = error instanceof Error ? error.message.split('\n') : [];
    throw new Error(line.replace(/^Invalid TOML document: /, ''), { cause: error });
  }
}

/** The table as TOML, its keys in their order. */
export function tomlText(table: Fields): string {
  return stringify(table);
}
