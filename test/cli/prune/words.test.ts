import { test } from 'tap';
import { progressLine } from '../../../src/cli/flags/progress-line.ts';
import { progressText, pruneProgress } from '../../../src/cli/prune/words.ts';
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
  const names = ['q.io/a:1'];
  t.equal(
    progressLine(pruneProgress(counts, { isPlanned: true, names }), 10_000),
    '60/100 ended  60 %  40.0 MB of 42.0 MB  4.0 MB/s  ETA 7s  5 failed  q.io/a:1',
  );
  t.equal(progressLine(pruneProgress(counts, { isPlanned: false, names }), 10_000), '900 checked  5 failed');
  t.end();
});

test('elsewhere the same is a line of JSON', (t) => {
  t.same(JSON.parse(progressText(counts, 10)), {
    progress: {
      ...{ checked: 900, planned: 100, bytes: 42_000_000, deleted: 40, deletedBytes: 40_000_000 },
      ...{ failed: 5, seconds: 10 },
    },
  });
  t.end();
});
