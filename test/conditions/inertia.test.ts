import { test } from 'tap';
import type { ConditionFinding } from '../../src/conditions/condition.ts';
import { partCondition, type Settling, settledBy } from '../../src/conditions/inertia.ts';

const minuteMs = 60_000;
const good: ConditionFinding = { status: 'True', reason: 'Reachable', message: 'it answers' };
const bad: ConditionFinding = { status: 'False', reason: 'Refused', message: 'connection refused' };
const unknown: ConditionFinding = { status: 'Unknown', reason: 'NoAnswer', message: 'no answer' };

/** A condition that is `True` since 0, and a clock. */
function stage(inertiaMs = 2 * minuteMs) {
  let now = 0;
  let state: Settling = { settled: { type: 'UpstreamReachable', ...good, lastTransitionTime: 0 } };
  return {
    found(finding: ConditionFinding, afterMs: number) {
      now += afterMs;
      state = settledBy(state, finding, inertiaMs, { now, at: 1_000_000 + now });
      return partCondition(state, inertiaMs);
    },
  };
}

test('what is not True counts once it lasts as long as its inertia', async (t) => {
  const { found } = stage();
  t.match(found(bad, 10), { status: 'True', pending: { status: 'False', since: 1_000_010 } });
  t.match(found(bad, 2 * minuteMs - 1), { status: 'True', pending: { countsAt: 1_120_010 } });
  t.match(found(bad, 1), { status: 'False', reason: 'Refused', lastTransitionTime: 1_120_010 });
  t.notOk(found(bad, 1).pending);
});

test('True counts at once, with the time at which it came back', async (t) => {
  const { found } = stage(0);
  found(bad, 1);
  t.match(found(good, 5), { status: 'True', reason: 'Reachable', lastTransitionTime: 1_000_006 });
});

test('False and Unknown in turn count together', async (t) => {
  const { found } = stage();
  found(bad, 0);
  found(unknown, minuteMs);
  t.equal(found(bad, minuteMs).status, 'False');
});

test('a new reason of the same status keeps its time', async (t) => {
  const { found } = stage();
  t.match(found({ ...good, message: 'it still answers' }, 5), {
    message: 'it still answers',
    lastTransitionTime: 0,
  });
});

test('a hundred restarts of 119 s each change nothing', async (t) => {
  const { found } = stage();
  for (let restart = 0; restart < 100; restart += 1) {
    found(bad, 1_000);
    t.equal(found(bad, 119_000).status, 'True');
    t.match(found(good, 500), { status: 'True', lastTransitionTime: 0 });
  }
});
