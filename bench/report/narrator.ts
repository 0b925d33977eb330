import type { WriteStream } from 'node:tty';
import type { Machine } from './machine.ts';
import type { Report, Section } from './report.ts';
import { aligned, measureLines, paint, targetLines } from './table.ts';
import { machineLines, verdict } from './words.ts';

/** Tells a person at a terminal, or the reader of a log, what happens and what came of it. */
export interface Narrator {
  print(text: string): void;
  /**
   * What is being done now: a line that the next one replaces on a terminal, a plain line
   * elsewhere.
   */
  say(text: string): void;
  machine(machine: Machine): void;
  section(section: Section): void;
  closing(report: Report, wrote: string | undefined): void;
}

/** A narrator on a stream such as `process.stdout`. */
export function narrator(out: WriteStream): Narrator {
  const isTerminal = out.isTTY;
  const colour = paint(isTerminal);
  const clear = isTerminal ? '\r\u001b[K' : '';
  const print = (text: string): void => {
    out.write(`${clear}${text}\n`);
  };
  return {
    print,
    say: (text) => {
      out.write(isTerminal ? `${clear}${colour(`… ${text}`, 'dim')}` : `… ${text}\n`);
    },
    machine: (machine) => {
      for (const line of aligned(machineLines(machine), '  ', 2)) print(line);
    },
    section: ({ title, measures, targets, notes, failure, seconds }) => {
      print(`\n${colour(title, 'bold')}  ${colour(`${Math.round(seconds)} s`, 'dim')}`);
      if (failure !== undefined) print(colour(`failed: ${failure}`, 'red'));
      for (const line of measureLines(measures)) print(`  ${line}`);
      if (targets.length > 0) print('');
      for (const line of targetLines(targets, colour)) print(`  ${line}`);
      for (const note of notes) print(colour(`  ${note}`, 'dim'));
    },
    closing: (report, wrote) => {
      print('');
      for (const [name, why] of Object.entries(report.absent)) print(`${name} did not take part: ${why}`);
      print(`${tally(report)} in ${Math.round(report.seconds)} s`);
      if (wrote !== undefined) print(`written: ${wrote}/latest.json, latest.md, latest.svg`);
    },
  };
}

function tally({ sections }: Report): string {
  const words = sections.flatMap(({ targets }) => targets.map(verdict));
  const count = (word: string): number => words.filter((each) => each === word).length;
  const broken = sections.filter(({ failure }) => failure !== undefined).length;
  const parts = [`${count('met')} targets met`, `${count('not met')} not met`];
  if (count('not measured') > 0) parts.push(`${count('not measured')} not measured`);
  if (broken > 0) parts.push(`${broken} scenarios failed`);
  return parts.join(', ');
}
