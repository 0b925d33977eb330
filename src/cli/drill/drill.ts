// Room `cli/drill`: quayside drill: faults around a fleet, and what they cost. In: flags. Out: a
// page, the exit code. Imports: every room below.

import type { DrillResult } from '../../drill/drill.ts';
import { drillPage, isPassed } from '../../drill/play/page.ts';
import { runDrills } from '../../drill/play/session.ts';
import { type Io, type Run, stopCode, writeJson } from '../flags/io.ts';
import { listText, outcomeLine } from './lines.ts';
import { type DrillFlags, parseDrillFlags } from './options.ts';
import { planOf } from './plan.ts';
import { checkWritable, writeResult } from './result-files.ts';

/** `quayside drill`: see its help. */
export const drill: Run = async (args, io) => {
  const values = parseDrillFlags(args);
  const plan = await planOf(values, io);
  if (values.list === true) {
    io.stdout.write(listText(plan.drills));
    return 0;
  }
  if (values.output.endsWith('.json')) await checkWritable(values.output);
  try {
    const result = await runDrills(plan, {
      signal: io.signal,
      began: ({ name, fault }) => io.stderr.write(`${name}: ${fault}\n`),
      ended: (outcome) => io.stderr.write(outcomeLine(outcome)),
    });
    await shown(result, values, io);
    if (result.isInterrupted) return stopCode(io.signal.reason);
    return isPassed(result) ? 0 : 1;
  } catch (error) {
    if (io.signal.aborted) return stopCode(io.signal.reason);
    throw error;
  }
};

async function shown(result: DrillResult, { output }: DrillFlags, io: Io): Promise<void> {
  if (output === 'json') return writeJson(io.stdout, result);
  io.stdout.write(drillPage(result));
  if (output !== 'text') io.stderr.write(`wrote ${(await writeResult(result, output)).join(', ')}\n`);
}
