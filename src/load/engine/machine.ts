import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import type { LoadResult } from '../result.ts';

/** The machine that makes the load, as it is before. */
export function machineNow(): LoadResult['machine'] {
  const [processor] = cpus();
  return {
    cores: availableParallelism(),
    processor: processor?.model ?? 'unknown',
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}
