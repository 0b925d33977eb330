import { type LogFormat, serveFlags } from '../../cli/pages/server.ts';
import type { GoFlags, GoFlagTable } from './go-flags.ts';

/** The heading of what the programs did not have. */
export const ours = { group: 'Flags that Quayside adds:' } as const;

/** What both command lines have beside the flags of their programs. */
export const ownFlags = {
  'log-format': { ...serveFlags['log-format'], places: [], ...ours },
  'print-config': { isSwitch: true, places: [], ...ours, help: 'print the resulting settings, and exit' },
} as const satisfies GoFlagTable;

/** A wrong one is among the complaints. */
export function logFormatOf({ written }: Pick<GoFlags, 'written'>): LogFormat {
  return written.get('log-format')?.at(-1) === 'pretty' ? 'pretty' : 'json';
}
