import type { Registry } from 'prom-client';
import type { ConditionPublisher } from '../../conditions/condition.ts';
import { gauge } from './kinds.ts';
import { table } from './table.ts';

const statuses = ['True', 'False', 'Unknown'] as const;

/** Conditions as numbers: 1 for the status that counts, and when it became so. */
export function conditionMetrics(registry: Registry): ConditionPublisher {
  const status = gauge(registry, table.conditions);
  const since = gauge(registry, table.conditionSince);
  /** Of what was shown before: type and name. */
  let shown: ReadonlyMap<string, readonly [type: string, name: string]> = new Map();
  return {
    publish({ conditions, parts }) {
      const before = shown;
      shown = new Map(
        [...conditions, ...parts].map(({ type, name = '' }) => [`${type} ${name}`, [type, name]]),
      );
      // That of an upstream which is configured no more is in no state.
      for (const [key, [type, name]] of before)
        if (!shown.has(key)) for (const each of statuses) status(type, name, each).value = 0;
      for (const { type, name = '', status: current, lastTransitionTime } of [...conditions, ...parts]) {
        for (const each of statuses) status(type, name, each).value = each === current ? 1 : 0;
        since(type, name).value = lastTransitionTime / 1000;
      }
    },
    close: async () => {},
  };
}
