import type { GeneratorTotals } from '../../load/engine/generator.ts';
import type { Output } from '../flags/io.ts';

/** One line of a terminal that says what the load is at; elsewhere nothing. */
export interface LiveLine {
  show(totals: GeneratorTotals, ratePerSecond: number | undefined): void;
  /** Makes room for another line. */
  clear(): void;
}

const clearLine = '\r\u001b[2K';

export function createLiveLine(output: Output): LiveLine {
  const isShown = output.isTTY === true;
  const startedAt = performance.now();
  let before = { atMs: startedAt, bytes: 0 };
  return {
    show(totals, ratePerSecond) {
      if (!isShown) return;
      const atMs = performance.now();
      const perSecond = ((totals.bytes - before.bytes) / Math.max(1, atMs - before.atMs)) * 1000;
      before = { atMs, bytes: totals.bytes };
      const seconds = Math.round((atMs - startedAt) / 1000);
      const rate = ratePerSecond === undefined ? '' : `  ${ratePerSecond.toFixed(1)}/s`;
      const { due, finished, underWay, errors } = totals;
      output.write(
        `${clearLine}${seconds} s${rate}  due ${due}  done ${finished}  under way ${underWay}  ${(perSecond / 1e6).toFixed(1)} MB/s  errors ${errors}`,
      );
    },
    clear() {
      if (isShown) output.write(clearLine);
    },
  };
}
