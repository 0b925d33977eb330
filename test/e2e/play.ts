/** One scenario, from its empty stage to the end of all that it started. */
import { lastLines, type Stage, stage } from '../support/program.ts';
import { leftOpen, openResources } from './left-open.ts';
import type { ProgramName } from './programs.ts';
import type { Scenario } from './scenario.ts';

/** What all scenarios have shown so far. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const defaultLimitMs = 180_000;
/** Long forms have so many times as long. */
const longFactor = 10;
const longestMessage = 40;

/** How scenarios are played. */
export interface PlayKind {
  readonly isLong: boolean;
  readonly takesPictures: boolean;
}

interface Play extends PlayKind {
  readonly paths: ReadonlyMap<ProgramName, string>;
  readonly tally: Tally;
  /** Writes a line. */
  readonly print: (line: string) => void;
}

/**
 * Plays one scenario, ends all that it has started and deferred, and counts its facts. A scenario
 * that leaves a server or a process open has failed by that.
 */
export async function played(
  scenario: Scenario,
  { paths, isLong, takesPictures, tally, print }: Play,
  interrupted: AbortSignal,
): Promise<void> {
  const before = openResources();
  const own = await stage(scenario.name);
  const failed = (name: string, error: unknown): void => told(name, error, { tally, print });
  const decided = async (name: string, check: () => Promise<unknown> | unknown): Promise<void> => {
    const startedAt = performance.now();
    try {
      await check();
      tally.passed += 1;
      print(`  ok      ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed(name, error);
    }
  };
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
        fact: (name, check) => (limit.aborted ? over.promise : decided(name, check)),
      }),
    ]);
  } catch (error) {
    failed('the scenario plays to its end', error);
  } finally {
    if (tally.failed > failedBefore) await printLogs(own, print);
    await own.close().catch((error: unknown) => failed('the scenario ends', error));
    const left = await leftOpen(before);
    if (left.length > 0) failed('the scenario leaves nothing open', new Error(left.join(', ')));
  }
}

function told(name: string, error: unknown, { tally, print }: Pick<Play, 'tally' | 'print'>): void {
  tally.failed += 1;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const own = text.split('\n').filter((line) => !/^\s+at .*(node:|e2e\/play\.ts)/.test(line));
  print(`  FAILED  ${name}\n${indented(own.slice(0, longestMessage))}`);
}

async function printLogs(own: Stage, print: Play['print']): Promise<void> {
  for (const { name, text } of await own.logs()) {
    print(`  ---- the last lines of ${name}\n${indented(lastLines(text).split('\n'))}`);
  }
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `          ${line.slice(0, 400)}`).join('\n');
}
