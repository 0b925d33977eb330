/**
 * `npm run e2e`: a real Quayside among real programs, as `usage` below says. Not tap: the scenarios
 * share slow set-ups, run one after the other and skip by program, which a list of facts says more
 * plainly than a test tree.
 *
 * Says each fact as it is decided and, last, `N passed, N failed[, N skipped]`.
 */
import { UsageError } from '../../src/cli/flags/arguments.ts';
import { parseFlags } from '../../src/cli/flags/flag-table.ts';
import { boolean } from '../../src/cli/flags/values.ts';
import { type PlayKind, played, type Tally } from './play.ts';
import { located, type ProgramName } from './programs.ts';
import type { Scenario } from './scenario.ts';
import { groups, scenarios } from './scenarios.ts';

const usage = `npm run e2e [-- [--no-skip | --prepare] [--long] [--pictures] [scenario…]]

A real Quayside among real programs, on loopback. Ends with 1 after any failure, 2 for a wrong argument.

  --no-skip   a scenario whose programs are missing has failed; default: it is skipped, with the reason
  --prepare   only build what has to be built, which is long the first time
  --long      everything as large, and for as long, as at a user's; default: as little as shows the fact
  --pictures  writes the pictures of docs/ on the way
  scenario…   any of: ${scenarios.map(({ name }) => name).join(' ')}; default: all.
              ${Object.entries(groups)
                .map(([name, members]) => `${name}: ${members.join(' ')}`)
                .join('; ')}
`;

const options = {
  help: { ...boolean, short: 'h', default: 'false' },
  long: { ...boolean, default: 'false' },
  'no-skip': { ...boolean, default: 'false' },
  pictures: { ...boolean, default: 'false' },
  prepare: { ...boolean, default: 'false' },
} as const;

/** Where lines go: `log` to standard output, `error` to standard error. */
type E2eConsole = Pick<Console, 'log' | 'error'>;

/**
 * Plays the scenarios and resolves to the exit code; `interrupted` ends the one that is being
 * played.
 */
export async function e2e(
  args: readonly string[],
  interrupted: AbortSignal,
  console: E2eConsole,
): Promise<number> {
  try {
    return await commanded(args, interrupted, console);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\nnpm run e2e -- --help says what there is`);
    return 2;
  }
}

async function commanded(
  args: readonly string[],
  interrupted: AbortSignal,
  console: E2eConsole,
): Promise<number> {
  const { values, words: given } = parseFlags(options, args);
  const words = given.flatMap((word) => groups[word] ?? [word]);
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
  if (values.prepare) return prepared(chosen, console);
  const tally = { passed: 0, failed: 0, skipped: 0 };
  for (const scenario of chosen) {
    if (interrupted.aborted) break;
    await told(
      scenario,
      tally,
      { noSkip: values['no-skip'], isLong: values.long, takesPictures: values.pictures },
      interrupted,
      console,
    );
  }
  if (interrupted.aborted) tally.failed += 1;
  console.log(
    `${tally.passed} passed, ${tally.failed} failed${tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''}`,
  );
  return tally.failed > 0 ? 1 : 0;
}

/** Resolves to 1 when a program is missing and cannot be had. */
async function prepared(chosen: readonly Scenario[], console: E2eConsole): Promise<number> {
  let code = 0;
  for (const need of new Set(chosen.flatMap(({ needs }) => needs))) {
    const found = await located(need, (line) => console.log(`  … ${line}`));
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
  console: E2eConsole,
): Promise<void> {
  console.log(`\n${scenario.name}`);
  const paths = new Map<ProgramName, string>();
  for (const need of scenario.needs) {
    const found = await located(need, (line) => console.log(`  … ${line}`));
    if ('path' in found) {
      paths.set(need, found.path);
    } else {
      console.log(`  ${noSkip ? 'FAILED' : 'skipped'}: ${found.missing}`);
      tally[noSkip ? 'failed' : 'skipped'] += 1;
      return;
    }
  }
  await played(scenario, { paths, tally, print: (line) => console.log(line), ...kind }, interrupted);
}
