import { basename } from 'node:path';
import { type ComparedRuns, comparison } from '../../load/report/compare.ts';
import { readResult } from '../../load/report/report.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { type Run, writeJson } from '../flags/io.ts';
import { compareFlags } from '../pages/load.ts';

/** `quayside load compare`: see its help. */
export const loadCompare: Run = async (args, io) => {
  const { values, words } = parseFlags(compareFlags, args);
  const [first, second, ...rest] = words;
  if (first === undefined || second === undefined || rest.length > 0)
    throw new UsageError(
      'needs two reports, or two series of reports with commas: A1.json,A2.json B1.json,B2.json',
    );
  const markdown = comparison(await runsOf(first), await runsOf(second));
  if (values.output === 'json') writeJson(io.stdout, { markdown });
  else io.stdout.write(markdown);
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
