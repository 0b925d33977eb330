import type { Spread } from '../../src/load/report/spread.ts';
import { isMet, type Target, type Unit } from '../scenario.ts';
import type { Machine } from './machine.ts';

/** A figure as a reader wants it: three significant digits and a thousands separator. */
function figure(value: number | undefined, unit: Unit): string {
  if (value === undefined) return '–';
  if (unit === 'errors') return value === 0 ? 'none' : String(value);
  if (unit === 'calls' || unit === 'requests') return value.toFixed(2);
  if (unit === '×') return value.toFixed(value < 1 ? 3 : value < 100 ? 2 : 0);
  if (unit === 's') return value.toFixed(2);
  if (unit === 'ms' || unit === 'µs') return value.toFixed(1);
  return Math.round(value).toLocaleString('en-US');
}

/** A figure, and between what the rounds lay. */
export function spreadFigure(value: number | undefined, unit: Unit, spread?: Spread): string {
  const middle = figure(value, unit);
  if (spread === undefined || spread.runs < 2 || unit === 'errors') return middle;
  return `${middle} (${figure(spread.least, unit)}–${figure(spread.most, unit)})`;
}

/** A figure with its unit, and with its spread where it has one. */
export function amount(value: number | undefined, unit: Unit, spread?: Spread): string {
  if (value === undefined) return '–';
  return unit === 'errors' ? figure(value, unit) : `${spreadFigure(value, unit, spread)} ${unit}`;
}

/** The bound of a target in words. */
export function bound({ sense, bound: limit, unit }: Target): string {
  if (limit === 0) return 'none';
  const sign = sense === 'at least' ? '≥' : '≤';
  const exact = Number.isInteger(limit) ? String(limit) : limit.toFixed(2);
  return `${sign} ${exact} ${unit}`;
}

/** What came of a target. */
export function verdict(target: Target): 'met' | 'not met' | 'not measured' {
  if (target.value === undefined) return 'not measured';
  return isMet(target) ? 'met' : 'not met';
}

/** Everything a reader must know of the machine, one fact a line. */
export function machineLines(machine: Machine): readonly (readonly [name: string, value: string])[] {
  const programs = Object.entries(machine.programs).map(([name, version]) => `${name} ${version}`);
  return [
    ['machine', `${machine.cores} × ${machine.processor}, ${machine.memoryGigabytes} GB, ${machine.system}`],
    [
      'load before',
      `${machine.loadBefore}${isBusy(machine) ? ' (other work went on here: trust ratios before figures)' : ''}`,
    ],
    ['files in', machine.files === 'ram' ? 'memory (tmpfs)' : 'a directory on disk'],
    ['quayside', `${machine.commit} on Node ${machine.node}, one process`],
    ['peers', programs.join(', ')],
  ];
}

/** True when something else had more than a fifth of the processors just before. */
export function isBusy({ loadBefore, cores }: Machine): boolean {
  return loadBefore > cores / 5;
}
