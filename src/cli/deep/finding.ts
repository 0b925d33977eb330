// Room `cli/deep`: whether what a configuration names is what it must be and works: files, store,
// spool, upstreams, clusters. In: a sound configuration. Out: findings with the setting, the cause
// and what to do. Imports: every room below.

import type { FaultPath } from '../../config/faults.ts';

/** What was looked at. */
export interface DeepFinding {
  /** `store`, `spool`, `upstream quay.io`, `cluster app.ci`. */
  readonly what: string;
  /** The setting that it follows from. */
  readonly path: FaultPath;
  /** Undefined where all is well. */
  readonly fault?: string;
  /** What was found where all is well. */
  readonly fine?: string;
}

/** The system's, TLS's or S3's code of an error or of one below it. */
export function deepCode(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ('code' in cause && typeof cause.code === 'string' && cause.name !== 'RegistryError')
      return cause.code;
  return undefined;
}
