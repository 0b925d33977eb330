import type { GeneratorTotals } from '../../load/engine/generator.ts';
import type { ProgressState } from '../flags/progress-line.ts';

/** What a load is at, for its progress. */
interface LiveCount {
  counted(totals: GeneratorTotals, ratePerSecond: number | undefined): void;
  readonly state: () => ProgressState;
}

export function createLiveCount(): LiveCount {
  let before = { atMs: performance.now(), bytes: 0 };
  let state: ProgressState = { unit: 'done', done: 0 };
  return {
    counted({ due, finished, underWay, errors, bytes }, ratePerSecond) {
      const atMs = performance.now();
      const perSecond = ((bytes - before.bytes) / Math.max(1, atMs - before.atMs)) * 1000;
      before = { atMs, bytes };
      const rate = ratePerSecond === undefined ? '' : `${ratePerSecond.toFixed(1)} a second, `;
      const now = `${(perSecond / 1e6).toFixed(1)} MB/s now, ${underWay} under way, ${errors} errors`;
      state = { unit: `of ${due} due`, done: finished, bytes, more: `${rate}${now}` };
    },
    state: () => state,
  };
}
