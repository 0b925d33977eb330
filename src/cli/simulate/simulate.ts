// Room `cli/simulate`: quayside simulate: what a fleet would ask for, keep and cost. In: flags.
// Out: a report, the exit code. Imports: every room below.

import { load } from '../../config/load.ts';
import { reportOf, type SimulationReport } from '../../simulate/report.ts';
import { simulated } from '../../simulate/simulate.ts';
import { type Io, type Run, stopCode, writeJson } from '../flags/io.ts';
import type { ProgressState } from '../flags/progress-line.ts';
import { configFile } from '../serve/config-file.ts';
import { arrivalsOf } from './arrivals.ts';
import { boundsOf, fleetsOf, parseSimulateFlags, pricesOf, type SimulateFlags, siteOf } from './plan.ts';
import { reportText } from './text.ts';

const mostPulls = 1_000_000;

/** `quayside simulate`: see its help. */
export const simulate: Run = async (args, io) => {
  const values = parseSimulateFlags(args);
  const config = values.config === undefined ? load('', io.env) : await configFile(values.config, io);
  try {
    const rest = { others: 0, unanswered: 0 };
    const reports = await reportsOf(values, { config, rest, io });
    if (values.output === 'json') writeJson(io.stdout, { reports, ...(values.trace && { trace: rest }) });
    else io.stdout.write(reportText(reports, values.trace === undefined ? undefined : rest));
    return 0;
  } catch (error) {
    if (io.signal.aborted) return stopCode(io.signal.reason);
    if (values.trace === undefined || !(error instanceof Error)) throw error;
    io.stderr.write(`quayside simulate: ${error.message}\n`);
    return 1;
  }
};

/** One pass for each size: the same load again. */
async function reportsOf(
  values: SimulateFlags,
  {
    config,
    rest,
    io,
  }: {
    readonly config: Parameters<typeof fleetsOf>[1];
    readonly rest: Parameters<typeof arrivalsOf>[1];
    readonly io: Io;
  },
): Promise<readonly SimulationReport[]> {
  const fleets = fleetsOf(values, config);
  const arrivals = await arrivalsOf(values, rest);
  const site = siteOf(values);
  let state: ProgressState = { unit: 'arrivals', done: 0 };
  const closeProgress = io.progress?.(() => state);
  try {
    const reports: SimulationReport[] = [];
    for (const fleet of fleets) {
      const done = await simulated(arrivals, fleet, site, {
        durationMs: values.duration,
        warmUpMs: values['warm-up'],
        mostPulls: values.pulls ?? mostPulls,
        signal: io.signal,
        progressed: (count) => {
          state = { unit: 'arrivals', done: count };
        },
      });
      const settings = { fleet, site, prices: pricesOf(values), bounds: boundsOf(values) };
      reports.push(reportOf(done, settings));
    }
    return reports;
  } finally {
    closeProgress?.();
  }
}
