import { readFile } from 'node:fs/promises';
import type { FleetReplica } from '../stand/replica.ts';

/** Which samples of a replica's metrics count: any of the names, with any of the label values. */
interface WantedSamples {
  readonly names: readonly string[];
  readonly values: readonly string[];
}

/** Their sum; undefined where the replica does not say. */
export async function samplesOf(
  { admin }: Pick<FleetReplica, 'admin'>,
  { names, values }: WantedSamples,
): Promise<number | undefined> {
  try {
    const answer = await fetch(`${admin}/metrics`, { signal: AbortSignal.timeout(3_000) });
    const lines = (await answer.text()).split('\n');
    const wanted = lines.filter(
      (line) =>
        names.some((name) => line.startsWith(`${name}{`)) &&
        values.some((value) => line.includes(`"${value}"`)),
    );
    return wanted.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  } catch {
    return undefined;
  }
}

/** How far the clock of a replica is ahead of ours by its last log line, milliseconds. */
export async function clockAheadMs({ log }: Pick<FleetReplica, 'log'>): Promise<number> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const mark = '"time":"';
  const at = text.lastIndexOf(mark) + mark.length;
  const aheadMs = Date.parse(text.slice(at, text.indexOf('"', at))) - Date.now();
  return Number.isFinite(aheadMs) ? aheadMs : 0;
}
