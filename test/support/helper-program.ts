import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A program that has logins, as a child process really runs it, and what it saw. */
export interface HelperProgram {
  /** The directory that it is in. */
  readonly directory: string;
  /** What each run was given, in order: arguments, standard input, variables. */
  readonly runs: readonly HelperRun[];
  /** Answers so from now on. */
  answers(answer: HelperAnswer): void;
}

interface HelperRun {
  readonly args: string;
  readonly input: string;
  readonly env: readonly string[];
}

interface HelperAnswer {
  /** On standard output; an object as JSON. Default: nothing. */
  readonly says?: unknown;
  /** On standard error. Default: nothing. */
  readonly complains?: string;
  /** The exit code. Default: 0. */
  readonly code?: number;
  /** More of its script, run at the end. */
  readonly then?: string;
}

/** Writes a shell script of that name into a directory of its own in the folder. */
export function helperProgram(folder: string, name: string, answer: HelperAnswer): HelperProgram {
  const directory = mkdtempSync(join(folder, 'helpers-'));
  const notes = join(directory, 'notes');
  mkdirSync(notes);
  const script = [
    '#!/bin/sh',
    `at=${notes}`,
    'number=0; while [ -e "$at/run-$number" ]; do number=$((number + 1)); done',
    'read -r input; { echo "$*"; printf "%s\\n" "$input"; env; } > "$at/run-$number"',
    '. "$at/does"',
    '',
  ];
  const answers = ({ says = '', complains = '', code = 0, then = '' }: HelperAnswer): void => {
    const text = typeof says === 'string' ? says : JSON.stringify(says);
    const words = `printf %s ${quoted(complains)} >&2; printf %s ${quoted(text)}`;
    writeFileSync(join(notes, 'does'), `${words}\n${then}\nexit ${code}\n`);
  };
  answers(answer);
  writeFileSync(join(directory, name), script.join('\n'), { mode: 0o755 });
  return {
    directory,
    get runs() {
      return runsIn(notes);
    },
    answers,
  };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function runsIn(notes: string): readonly HelperRun[] {
  const found: HelperRun[] = [];
  for (;;) {
    const text = textOf(join(notes, `run-${found.length}`));
    if (text === undefined) return found;
    const [args = '', input = '', ...env] = text.trimEnd().split('\n');
    found.push({ args, input, env: env.filter((line) => !/^(?:PWD|OLDPWD|SHLVL|_)=/.test(line)) });
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
