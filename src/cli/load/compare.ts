import { basename } from 'node:path';
import { type ComparedRuns, comparison } from '../../load/report/compare.ts';
import { readResult } from '../../load/report/report.ts';
import { parsed, UsageError } from '../flags/arguments.ts';
import type { Run } from '../flags/io.ts';

/** `quayside load compare`: see its help. */
export const loadCompare: Run = async (args, io) => {
  const { positionals } = parsed(args, {});
  const [first, second, ...rest] = positionals;
  if (first === undefined || second === undefined || rest.length > 0)
    throw new UsageError(
      'needs two reports, or two series of reports with commas: A1.json,A2.json B1.json,B2.json',
    );
  io.stdout.write(comparison(await runsOf(first), await runsOf(second)));
  return 0;
};

async function runsOf(list: string): Promise<ComparedRuns> {
  const files = list.split(',').filter((file) => file !== '');
  try {
    const results = await Promise.all(files.map(readResult));
    return { name: basename(files[0] ?? list, '.json'), results };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
