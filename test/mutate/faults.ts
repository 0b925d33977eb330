import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A small fault, as `faults.txt` lists it. */
export interface Fault {
  readonly name: string;
  /** The file that gets it, below the project. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Test files that are run first. */
  readonly tests: readonly string[];
  /** Why no test needs to notice it. */
  readonly mayLive?: string;
}

/** A list or a fault of it that cannot be used as it is. */
export class FaultError extends Error {
  override readonly name = 'FaultError';
}

/** The faults of a list in the form that its head describes. Throws `FaultError`. */
export function parseFaults(text: string): Fault[] {
  const blocks = text.split(/\n\n+/).map((block) => block.split('\n').filter((line) => !/^#|^$/.test(line)));
  const faults = blocks.filter((lines) => lines.length > 0).map(parseFault);
  const names = faults.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new FaultError(`two faults are named ${twice}`);
  return faults;
}

function parseFault([head = '', ...lines]: readonly string[]): Fault {
  const [name = '', file = ''] = head.split(' ');
  const after = (mark: string): string[] =>
    lines.filter((line) => line === mark || line.startsWith(`${mark} `)).map((line) => line.slice(2));
  const [find, replace, mayLive] = [after('-').join('\n'), after('+').join('\n'), after('~').join(' ')];
  if (file === '' || find === '' || find === replace)
    throw new FaultError(`"${head}" needs a name, a file, and what is replaced by what`);
  return { name, file, find, replace, tests: after('='), ...(mayLive === '' ? {} : { mayLive }) };
}

/**
 * The text of the fault's file with the fault in it. Throws `FaultError` unless its files exist and
 * its snippet is there exactly once.
 */
export async function withFault(root: string, { name, file, find, replace, tests }: Fault): Promise<string> {
  const read = async (path: string): Promise<string> => {
    const text = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (text === undefined) throw new FaultError(`${name}: there is no ${path}`);
    return text;
  };
  for (const test of tests) await read(test);
  const text = await read(file);
  const count = text.split(find).length - 1;
  if (count === 1) return text.replace(find, () => replace);
  throw new FaultError(`${name}: ${count === 0 ? 'not found' : `found ${count} times`} in ${file}: ${find}`);
}
