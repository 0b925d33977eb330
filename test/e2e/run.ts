/**
 * `npm run e2e`: a real Quayside among real programs, as `usage` below says. Not tap: the scenarios
 * share slow set-ups, run one after the other and skip by program, which a list of facts says more
 * plainly than a test tree.
 *
 * Prints each fact as it is decided and, last, `N passed, N failed[, N skipped]`.
 */
import { UsageError } from '../../src/cli/flags/arguments.ts';
import { parseFlags } from '../../src/cli/flags/flag-table.ts';
import { boolean } from '../../src/cli/flags/values.ts';
import { lastLines, type Stage, stage } from '../support/program.ts';
import { located, type ProgramName } from './programs.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const usage = `npm run e2e [-- [--no-skip | --prepare] [--long] [--pictures] [scenario…]]

A real Quayside among real programs, on loopback. Ends with 1 after any failure, 2 for a wrong argument.

  --no-skip   a scenario whose programs are missing has failed; default: it is skipped, with the reason
  --prepare   only build what has to be built, which is long the first time
  --long      everything as large, and for as long, as at a user's; default: as little as shows the fact
  --pictures  writes the pictures of docs/ on the way
  scenario…   any of: ${scenarios.map(({ name }) => name).join(' ')}; default: all
`;

const options = {
  help: { ...boolean, short: 'h', default: 'false' },
  long: { ...boolean, default: 'false' },
  'no-skip': { ...boolean, default: 'false' },
  pictures: { ...boolean, default: 'false' },
  prepare: { ...boolean, default: 'false' },
} as const;

const defaultLimitMs = 180_000;
/** Long forms have so many times as long. */
const longFactor = 10;
const longestMessage = 40;

/**
 * Plays the scenarios and resolves to the exit code; `interrupted` ends the one that is being
 * played.
 */
async function main(args: readonly string[], interrupted: AbortSignal): Promise<number> {
  const { values, words } = parseFlags(options, args);
  if (values.help) {
    console.log(usage.trimEnd());
    return 0;
  }
  const unknown = words.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    console.error(
      `no scenario ${unknown.join(', ')}; there are: ${scenarios.map(({ name }) => name).join(', ')}`,
    );
    return 2;
  }
  const chosen = scenarios.filter(({ name, isLong }) =>
    words.length === 0 ? values.long || isLong !== true : words.includes(name),
  );
  if (values.prepare) return prepared(chosen);
  const tally = { passed: 0, failed: 0, skipped: 0 };
  for (const scenario of chosen) {
    if (interrupted.aborted) break;
    await told(
      scenario,
      tally,
      { noSkip: values['no-skip'], isLong: values.long, takesPictures: values.pictures },
      interrupted,
    );
  }
  if (interrupted.aborted) tally.failed += 1;
  console.log(
    `${tally.passed} passed, ${tally.failed} failed${tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''}`,
  );
  return tally.failed > 0 ? 1 : 0;
}

/** Resolves to 1 when a program is missing and cannot be had. */
async function prepared(chosen: readonly Scenario[]): Promise<number> {
  let code = 0;
  for (const need of new Set(chosen.flatMap(({ needs }) => needs))) {
    const found = await located(need, said);
    if ('missing' in found) code = 1;
    console.log('path' in found ? `  ok      ${found.path}` : `  missing ${found.missing}`);
  }
  return code;
}

async function told(
  scenario: Scenario,
  tally: Tally,
  { noSkip, ...kind }: PlayKind & { readonly noSkip: boolean },
  interrupted: AbortSignal,
): Promise<void> {
  console.log(`\n${scenario.name}`);
  const paths = new Map<ProgramName, string>();
  for (const need of scenario.needs) {
    const found = await located(need, said);
    if ('path' in found) {
      paths.set(need, found.path);
    } else {
      console.log(`  ${noSkip ? 'FAILED' : 'skipped'}: ${found.missing}`);
      tally[noSkip ? 'failed' : 'skipped'] += 1;
      return;
    }
  }
  await played(scenario, { paths, tally, ...kind }, interrupted);
}

interface PlayKind {
  readonly isLong: boolean;
  readonly takesPictures: boolean;
}

interface Play extends PlayKind {
  readonly paths: ReadonlyMap<ProgramName, string>;
  readonly tally: Tally;
}

async function played(
  scenario: Scenario,
  { paths, isLong, takesPictures, tally }: Play,
  interrupted: AbortSignal,
): Promise<void> {
  const own = await stage(scenario.name);
  const failedBefore = tally.failed;
  const limitMs = (scenario.limitMs ?? defaultLimitMs) * (isLong ? longFactor : 1);
  const limit = AbortSignal.any([interrupted, AbortSignal.timeout(limitMs)]);
  const over = Promise.withResolvers<never>();
  limit.addEventListener('abort', () => over.reject(new Error(`ended early: ${String(limit.reason)}`)), {
    once: true,
  });
  try {
    await Promise.race([
      over.promise,
      scenario.play({
        stage: own,
        isLong,
        takesPictures,
        path: (program) => paths.get(program) ?? program,
        fact: (name, check) => (limit.aborted ? over.promise : decided(name, check, tally)),
      }),
    ]);
  } catch (error) {
    failed('the scenario plays to its end', error, tally);
  } finally {
    if (tally.failed > failedBefore) await printLogs(own);
    await own.close();
  }
}

async function decided(name: string, check: () => Promise<unknown> | unknown, tally: Tally): Promise<void> {
  const startedAt = performance.now();
  try {
    await check();
    tally.passed += 1;
    console.log(`  ok      ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed(name, error, tally);
  }
}

function failed(name: string, error: unknown, tally: Tally): void {
  tally.failed += 1;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const own = text.split('\n').filter((line) => !/^\s+at .*(node:|e2e\/run\.ts)/.test(line));
  console.log(`  FAILED  ${name}\n${indented(own.slice(0, longestMessage))}`);
}

async function printLogs(own: Stage): Promise<void> {
  for (const { name, text } of await own.logs()) {
    console.log(`  ---- the last lines of ${name}\n${indented(lastLines(text).split('\n'))}`);
  }
}

function said(line: string): void {
  console.log(`  … ${line}`);
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `          ${line.slice(0, 400)}`).join('\n');
}

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => interruption.abort(new Error(signal)));
}
process.exitCode = await main(process.argv.slice(2), interruption.signal).catch((error: unknown) => {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\nnpm run e2e -- --help says what there is`);
  return 2;
});
