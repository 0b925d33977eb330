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
