import type { Registry } from 'prom-client';
import type { ConditionPublisher } from '../../conditions/condition.ts';
import { gauge } from './kinds.ts';
import { table } from './table.ts';

const statuses = ['True', 'False', 'Unknown'] as const;

/** Conditions as numbers: 1 for the status that counts, and when it became so. */
export function conditionMetrics(registry: Registry): ConditionPublisher {
  const status = gauge(registry, table.conditions);
  const since = gauge(registry, table.conditionSince);
  return {
    publish({ conditions, parts }) {
      for (const { type, name = '', status: current, lastTransitionTime } of [...conditions, ...parts]) {
        for (const each of statuses) status(type, name, each).value = each === current ? 1 : 0;
        since(type, name).value = lastTransitionTime / 1000;
      }
    },
    close: async () => {},
  };
}
