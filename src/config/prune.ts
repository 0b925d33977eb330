import { field } from '../base/text/json.ts';
import type { FaultPath } from './faults.ts';

/**
 * Removes the refused setting from `value`, in place, and returns what it removed: the setting, the
 * whole list that holds it, or, for a missing required one, the section that needs it.
 */
export function prune(value: unknown, path: FaultPath): FaultPath {
  const position = path.findIndex((segment) => typeof segment === 'number');
  const whole = position < 0 ? path : path.slice(0, position);
  const key = whole.at(-1);
  const holder = whole.slice(0, -1).reduce<unknown>(field, value);
  if (key === undefined || !isSection(holder)) return whole;
  if (!Object.hasOwn(holder, key) && whole.length > 1) return prune(value, whole.slice(0, -1));
  Reflect.deleteProperty(holder, key);
  return whole;
}

function isSection(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
