/** What a step came to: `unknown` where it cannot be told, or must not be told to this viewer. */
export type StepMark = 'ok' | 'wrong' | 'unknown';

/** What to do about a fault. */
export interface NextStep {
  /** A clause, or commands, one a line. */
  readonly steps: readonly string[];
  /** Who can do it. */
  readonly who: string;
}

/** What one step found. */
export interface Finding {
  readonly mark: StepMark;
  /** One line each, the most important first. */
  readonly found: readonly string[];
  /** Where that was looked up. */
  readonly where?: string;
  /** When it was true or was written, milliseconds since the epoch. Default: now. */
  readonly at?: number;
  readonly next?: NextStep;
  /** What was found names insides of the service: users of clusters do not see it. */
  readonly isInternal?: boolean;
  /** False where the pull does not depend on it. Default: true. */
  readonly decides?: boolean;
}

/** A finding with its place in the explanation. */
export interface ExplainStep extends Finding {
  readonly number: number;
  readonly title: string;
}

/** Titles of the steps; the place in the list is the number. */
export const titles = [
  'image stream',
  'client',
  'route',
  'rights',
  'tag',
  'content',
  'upstream',
  'sources',
  'mirror',
  'source',
  'maker',
  'pruner',
] as const;

export type Title = (typeof titles)[number];

/** A finding that the pull does not depend on, and that nothing could be told of. */
export function untold(why: string, rest: Partial<Finding> = {}): Finding {
  return { mark: 'unknown', found: [why], decides: false, ...rest };
}

/** What viewers get who may not know it; the same for what is there and for what is not. */
export function hidden(why: string): Finding {
  return { mark: 'unknown', found: [`not shown: ${why}`], decides: false };
}

const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `12.3 MB` */
export function bytesText(bytes: number): string {
  if (bytes < 0) return 'of unknown size';
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/** `12 November 2026`, in UTC. */
export function dayText(at: number): string {
  const day = new Date(at);
  if (Number.isNaN(day.getTime())) return 'an unknown day';
  return `${day.getUTCDate()} ${months[day.getUTCMonth()]} ${day.getUTCFullYear()}`;
}

/** `2026-11-29T15:40:00Z`; empty for no time. */
export function timeText(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? '' : time.toISOString().replace(/\.\d+Z$/, 'Z');
}

const spans = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
] as const;

/** `5 min`, in the largest unit that fits; `0 s` below a second. */
export function spanText(ms: number): string {
  const [size, unit] = spans.find(([each]) => ms >= each) ?? [1000, 's'];
  return `${Math.floor(Math.max(0, ms) / size)} ${unit}`;
}
