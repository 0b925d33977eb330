import { test } from 'tap';
import { createOutage } from '../../../src/base/state/outage.ts';

test('of failures in a row the first is told, and so is the success after them', (t) => {
  const told: string[] = [];
  const outage = createOutage({
    began: (error) => told.push(String(error)),
    ended: () => told.push('ended'),
  });
  outage.worked();
  for (const cause of ['first', 'second']) outage.failed(cause);
  for (let time = 0; time < 2; time += 1) outage.worked();
  outage.failed('third');
  t.same(told, ['first', 'ended', 'third']);
  t.end();
});
