import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type FormName, formNamed } from './form.ts';
import { cleared, ground } from './ground.ts';
import { type Lab, lab } from './lab.ts';
import { loadNow, machine } from './report/machine.ts';
import type { Narrator } from './report/narrator.ts';
import type { Report, Section } from './report/report.ts';
import { kept, written } from './report/write.ts';
import type { Findings, OwnGround, OwnScenario, Scenario } from './scenario.ts';

export interface BenchOptions {
  readonly scenarios: readonly (Scenario | OwnScenario)[];
  readonly form: FormName;
  /** Scenarios that are not begun after so many seconds are left out. Default: none is. */
  readonly budgetSeconds?: number;
  /** Where to keep files while it runs. Default: see ground.ts. */
  readonly directory: string | undefined;
  /** Whether its sections are kept: the report becomes `results/latest.*` and a dated file. */
  readonly isKept: 'all' | 'dated' | 'no';
}

/** Where dated results are kept. */
export const results = fileURLToPath(new URL('./results', import.meta.url));

/**
 * Runs the scenarios one after the other. A scenario that breaks is reported and does not stop the
 * others.
 */
export async function bench(options: BenchOptions, narrator: Narrator): Promise<Report> {
  const directory = await ground(options.directory);
  const leave = onSignal(() => rmSync(directory, { recursive: true, force: true }));
  try {
    const report = await reportOf(options, narrator, directory);
    if (options.isKept === 'all') await written(report, results);
    narrator.closing(report, options.isKept === 'all' ? results : undefined);
    return report;
  } finally {
    leave();
    await cleared(directory);
  }
}

async function reportOf(options: BenchOptions, narrator: Narrator, directory: string): Promise<Report> {
  const startedAt = new Date();
  const facts = await machine(directory);
  narrator.machine(facts);
  const own = { form: formNamed(options.form), directory, say: narrator.say };
  const isAlone = options.scenarios.every((scenario) => 'runAlone' in scenario);
  const place = isAlone ? undefined : await lab(own);
  const sections: Section[] = [];
  const reportNow = (): Report => ({
    startedAt: startedAt.toISOString(),
    form: options.form,
    seconds: secondsSince(startedAt.getTime()),
    machine: facts,
    sections,
    absent: Object.fromEntries(place?.absent ?? []),
  });
  try {
    for (const scenario of options.scenarios) {
      if (secondsSince(startedAt.getTime()) > (options.budgetSeconds ?? Number.POSITIVE_INFINITY)) {
        narrator.print(`left out: ${scenario.name}; this form has ${options.budgetSeconds} s`);
        continue;
      }
      const section = await sectionOf(scenario, own, place, facts.commit);
      narrator.section(section);
      sections.push(section);
      // A run takes up to hours: what was measured stays, whatever happens later.
      if (options.isKept !== 'no') await kept(reportNow(), results);
    }
    return reportNow();
  } finally {
    await place?.close();
  }
}

async function sectionOf(
  scenario: Scenario | OwnScenario,
  own: OwnGround,
  place: Lab | undefined,
  commit: string,
): Promise<Section> {
  const { name, title } = scenario;
  const started = Date.now();
  const about = { name, title, startedAt: new Date(started).toISOString(), commit, loadBefore: loadNow() };
  try {
    const findings = await findingsOf(scenario, own, place);
    return { ...about, seconds: secondsSince(started), ...findings };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { ...about, seconds: secondsSince(started), failure, measures: [], targets: [], notes: [] };
  }
}

function findingsOf(
  scenario: Scenario | OwnScenario,
  own: OwnGround,
  place: Lab | undefined,
): Promise<Findings> {
  if ('runAlone' in scenario) return scenario.runAlone(own);
  if (place === undefined) throw new Error('the bench has no upstream');
  return scenario.run(place);
}

/** Ends at once on SIGINT and SIGTERM, after `tidy`; the programs end with this process. */
function onSignal(tidy: () => void): () => void {
  const stop = (): void => {
    process.exitCode = 130;
    process.once('exit', tidy);
    process.exit();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return () => process.off('SIGINT', stop).off('SIGTERM', stop);
}

function secondsSince(startedMs: number): number {
  return Math.round((Date.now() - startedMs) / 100) / 10;
}
