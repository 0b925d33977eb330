import { type ConditionPublisher, isFault } from '../conditions/condition.ts';
import type { Log } from './log.ts';

/** A line for each condition whose status is another one. */
export function conditionLog(log: Log): ConditionPublisher {
  const own = log.child({ component: 'conditions' });
  return {
    publish(_report, changed) {
      for (const condition of changed) {
        const { type, name, status, reason, message: why } = condition;
        const fields = { condition: type, name, status, reason, why };
        if (isFault(condition)) own.warn(fields, 'a condition changed: something is wrong, or under way');
        else own.info(fields, 'a condition changed');
      }
    },
    close: async () => {},
  };
}
