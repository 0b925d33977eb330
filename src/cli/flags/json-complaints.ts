import { type Output, writeJson } from './io.ts';

/** A failure: what is wrong, and where to read on. */
export interface ToldFailure {
  readonly message: string;
  /** The command that says more. */
  readonly see?: string;
  /** Of a configuration: each fault with its place. */
  readonly faults?: readonly object[];
}

/** Standard error of a command that prints JSON. */
export interface JsonComplaints extends Output {
  complain(complaint: ToldFailure): void;
}

/** Whether a command line asks for JSON, before it is known whether it means something. */
export function wantsJson(args: readonly string[]): boolean {
  const line = ` ${args.join(' ')} `;
  return / (?:-o[ =]?|--output[ =])json /.test(line) || line.includes(' --json ');
}

/**
 * The one form of what programs read on standard error: a JSON document a line, with `level`
 * (`error`, `warning` or `info`), `command` and `message`. Lines that a command writes are turned
 * into it; it is no terminal, so that no progress is drawn there.
 */
export function jsonComplaints(stderr: Output, name: string): JsonComplaints {
  const command = `quayside ${name}`.trimEnd();
  const own = `${command}: `;
  return {
    write(text: string) {
      for (const line of text.split('\n')) {
        const [, word = 'error', rest = line] = /^(error|warning|info|note): (.*)$/.exec(line) ?? [];
        const level = word === 'note' ? 'info' : word;
        const message = rest.startsWith(own) ? rest.slice(own.length) : rest;
        if (message !== '') writeJson(stderr, { level, command, message });
      }
    },
    complain: (complaint) => writeJson(stderr, { level: 'error', command, ...complaint }),
  };
}
