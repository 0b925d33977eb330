import { test } from 'tap';
import { TrafficHistory } from '../../../src/app/console/history.ts';
import { createManualClock } from '../../support/manual-clock.ts';

test('a point is taken every 30 s, and every 10 s while people look', async (t) => {
  const clock = createManualClock();
  const history = new TrafficHistory({ page: async () => '', clock, now: () => clock.now() });
  history.start();
  await clock.pass(60_000);
  t.same(
    history.points.map(({ at }) => at),
    [0, 30_000, 60_000],
  );
  for (let look = 0; look < 3; look += 1) {
    await history.page();
    await clock.pass(10_000);
  }
  t.ok(history.points.length >= 5);
  t.equal(clock.running, 1);
  history.close();
  t.equal(clock.running, 0);
});

test('the last hour is kept whole, the day before at five minutes, and no more', async (t) => {
  const clock = createManualClock();
  const history = new TrafficHistory({ page: async () => '', clock, now: () => clock.now() });
  history.start();
  await clock.pass(26 * 3_600_000);
  const { points } = history;
  const fine = points.filter(({ at }) => at > clock.now() - 3_600_000);
  t.equal(fine.length, 120);
  t.ok(points.length <= 120 + 276);
  t.ok((points[0]?.at ?? 0) >= 2 * 3_600_000, 'a day');
  const gaps = points.slice(1, 200).map(({ at }, index) => at - (points[index]?.at ?? 0));
  t.same(new Set(gaps), new Set([300_000]));
  history.close();
});

test('a page that cannot be read leaves a gap', async (t) => {
  const clock = createManualClock();
  let isBroken = true;
  const page = async () => {
    if (isBroken) throw new Error('no page');
    return 'quayside_requests_total{kind="blob",status="503"} 2\n';
  };
  const history = new TrafficHistory({ page, clock, now: () => clock.now() });
  history.start();
  await clock.pass(30_000);
  t.same(history.points, []);
  isBroken = false;
  await clock.pass(30_000);
  t.match(history.points, [{ requests: 2, failed: 2, hits: 0 }]);
  history.close();
});
