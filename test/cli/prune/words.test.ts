import { test } from 'tap';
import { progressText } from '../../../src/cli/prune/words.ts';
import { keepReasons } from '../../../src/prune/plan.ts';

const counts = {
  ...{ checked: 900, planned: 100, bytes: 42_000_000, deleted: 40, deletedBytes: 40_000_000 },
  ...{ failed: 5, left: 0, dropped: 15, unread: 0 },
  kept: Object.fromEntries(keepReasons.map((reason) => [reason, 0])) as Record<
    (typeof keepReasons)[number],
    number
  >,
};

test('a terminal sees objects, bytes, rate, failures and the time that is left', (t) => {
  t.equal(
    progressText(counts, 10, true),
    '\r\u001b[K900 checked, 40 of 100 deleted, 40MB of 42MB (4.0/s), 5 failed, 10s left of what is planned',
  );
  t.end();
});

test('elsewhere the same is a line of JSON', (t) => {
  t.same(JSON.parse(progressText(counts, 10, false)), {
    progress: {
      ...{ checked: 900, planned: 100, bytes: 42_000_000, deleted: 40, deletedBytes: 40_000_000 },
      ...{ failed: 5, seconds: 10 },
    },
  });
  t.end();
});
