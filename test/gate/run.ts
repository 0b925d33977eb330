/**
 * `npm run release-gate`: all that a release must have passed and that is too long for each change:
 * the long drill, the conformance suite, fuzzing. Writes one page, `build/release-gate.md`, also
 * when something fails, and ends with 1 then. Of each layer a drill must have been played.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseFlags } from '../../src/cli/flags/flag-table.ts';
import type { DrillResult } from '../../src/drill/drill.ts';
import { builtBefore } from '../e2e/go-programs.ts';
import { finished } from '../support/run-command.ts';
import { type GateStep, gatePage, withAllLayers } from './page.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'build');
const drillFile = join(folder, 'drill.json');
const hourMs = 3_600_000;

const { values } = parseFlags({ minutes: { default: '30' }, only: { isList: true } }, process.argv.slice(2));

/** Each a command of its own: its exit code is the verdict, its last line the summary. */
const commands: Readonly<Record<GateStep['name'], readonly string[]>> = {
  drill: [join(root, 'bin/quayside.js'), 'drill', ...versitygw(), '-o', drillFile],
  conformance: [join(root, 'test/e2e/run.ts'), '--no-skip', '--long', 'conformance'],
  fuzz: [join(root, 'test/fuzz/run.ts'), '--minutes', values.minutes],
};

function versitygw(): readonly string[] {
  const path = builtBefore('versitygw');
  return path === undefined ? [] : ['--versitygw', path];
}

async function played(name: GateStep['name'], args: readonly string[]): Promise<GateStep> {
  console.log(`${name} …`);
  const startedAt = performance.now();
  const result = await finished(process.execPath, args, { cwd: root, timeoutMs: 3 * hourMs, mayFail: true });
  const said = `${result.stdout}\n${result.stderr}`.trimEnd().split('\n');
  const tookMs = performance.now() - startedAt;
  const isPassed = result.code === 0;
  const step = { name, isPassed, tookMs, said: isPassed ? said.slice(-1) : said.slice(-20) };
  const judged = name === 'drill' ? withAllLayers(step, await outcomesOfDrill()) : step;
  console.log(`${name}: ${judged.isPassed ? 'passed' : 'FAILED'}`);
  return judged;
}

/** None where the drill wrote no result. */
async function outcomesOfDrill(): Promise<DrillResult['outcomes']> {
  const result: Partial<DrillResult> = JSON.parse((await readFile(drillFile, 'utf8')) || '{}');
  return result.outcomes ?? [];
}

await mkdir(folder, { recursive: true });
for (const file of [drillFile, drillFile.replace(/json$/, 'md')]) await writeFile(file, '');
const steps: GateStep[] = [];
for (const [name, args] of Object.entries(commands) as [GateStep['name'], readonly string[]][])
  if (values.only.length === 0 || values.only.includes(name)) steps.push(await played(name, args));
const drill = await readFile(drillFile.replace(/json$/, 'md'), 'utf8');
const page = gatePage(steps, drill, new Date().toISOString());
await writeFile(join(folder, 'release-gate.md'), page);
console.log(page);
process.exitCode = steps.every(({ isPassed }) => isPassed) ? 0 : 1;
