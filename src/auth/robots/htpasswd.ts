/** Names and the bcrypt hashes of their passwords. */
export type Htpasswd = ReadonlyMap<string, string>;

const bcryptShape = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const highestCost = 14;

/**
 * Reads the lines of `htpasswd -B`; skips empty lines and `#` comments; the last line of a name
 * wins. Accepts only bcrypt up to a cost of 14 (1 s): throws an Error that names any other line,
 * because a login that can never work is an operator's mistake.
 */
export function parseHtpasswd(text: string): Htpasswd {
  const entries = text
    .split('\n')
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'));
  return new Map(entries.map(({ line, number }) => parseEntry(line, number)));
}

function parseEntry(line: string, number: number): [string, string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new Error(`line ${number} of the htpasswd file is not name:hash`);
  const hash = line.slice(colon + 1);
  const cost = Number(bcryptShape.exec(hash)?.[1] ?? Number.NaN);
  if (cost >= 4 && cost <= highestCost) return [line.slice(0, colon), hash];
  throw new Error(`line ${number} of the htpasswd file holds no bcrypt hash that we check: use htpasswd -B`);
}
