import { test } from 'tap';
import { Replays } from '../../src/fleet/protocol/replays.ts';

const minuteMs = 60_000;

test('a question comes once, in whatever order those of its asker come', (t) => {
  const replays = new Replays(minuteMs);
  for (const number of [5, 3, 4, 9, 6]) {
    t.ok(replays.isFirst('one', number), `${number}`);
    t.notOk(replays.isFirst('one', number), `a copy of ${number}`);
  }
  t.ok(replays.isFirst('other', 5), 'another asker counts for itself');
  t.end();
});

test('what is too old to be remembered is refused', (t) => {
  const replays = new Replays(minuteMs);
  t.ok(replays.isFirst('one', 70_000));
  for (const age of [65_536, 65_537, 69_999]) t.notOk(replays.isFirst('one', 70_000 - age), `${age}`);
  t.ok(replays.isFirst('one', 70_000 - 65_535));
  t.end();
});

test('a number that was remembered gives way to the one that takes its place', (t) => {
  const replays = new Replays(minuteMs);
  t.ok(replays.isFirst('one', 3));
  for (const next of [3 + 65_536, 3 + 10 * 65_536]) {
    t.ok(replays.isFirst('one', next), `${next}`);
    t.notOk(replays.isFirst('one', next));
  }
  t.ok(replays.isFirst('one', 4 + 10 * 65_536));
  t.end();
});
