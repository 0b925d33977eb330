import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { failuresOf, objectionsTo, warmTimes } from '../../src/drill/play/judge.ts';
import { drillPage, isPassed } from '../../src/drill/play/page.ts';
import { drills } from '../../src/drill/table/table.ts';
import { undrilledAlerts } from '../../src/drill/table/undrilled.ts';
import { alertNames } from '../../src/drill/watch/alerts.ts';
import { alertRules, rulesFile } from '../monitoring/rules.ts';

const times = { beganMs: 5_000, endedMs: 15_000 };
const pull = { atMs: 6_000, tookMs: 1_000, isWarm: false };
const error = 'GET /v2/: status 503';
const outcome = {
  ...({ name: 'upstream-dead', layer: 'upstream', fault: 'the registry is gone', pulls: 10 } as const),
  ...{
    failedOwn: 0,
    failedExcused: 0,
    errors: [],
    wrongDelivered: [],
    wrongStored: 0,
    refusedByClients: 0,
    wellMs: 900,
  },
  warmMs: { before: 100, during: 300 },
  noticed: { UpstreamReachable: 4_000 },
  mirror: { ordered: 3, lost: 0 },
  restarts: 0,
  stalledMs: 20,
};
const drill = { conditions: ['UpstreamReachable'], alerts: ['QuaysideUpstreamDown'], mostWarmMs: 2_000 };

test('a cold pull under a troubled upstream is excused, and nothing else is', (t) => {
  const own = (isExcused: boolean, failed: object, excuses: 'cold' | 'all' = 'cold'): number =>
    failuresOf({ excuses: isExcused ? excuses : 'none' }, [{ ...pull, error, ...failed }], times).own.length;
  t.equal(own(true, {}), 0);
  t.equal(own(false, {}), 1);
  t.equal(own(true, { isWarm: true }), 1);
  t.equal(own(true, { isWarm: true }, 'all'), 0);
  t.equal(own(true, { atMs: 1_000 }), 1, 'before the fault');
  t.equal(own(true, { atMs: 26_000 }), 1, 'when it must be well');
  t.end();
});

test('a warm pull of before is compared with those under the fault', (t) => {
  const warm = { ...pull, isWarm: true };
  const pulls = [
    { ...warm, atMs: 0 },
    { ...warm, tookMs: 2_500 },
    { ...warm, atMs: 20_000, tookMs: 9_000 },
  ];
  t.same(warmTimes(pulls, times), { before: 1_000, during: 2_500 });
  t.end();
});

test('each bar that is missed is a sentence', (t) => {
  const all = { awaitsConditions: true, awaitsAlerts: true };
  t.same(objectionsTo(drill, outcome, { ...all, awaitsAlerts: false }), []);
  t.same(objectionsTo(drill, outcome, all), ['QuaysideUpstreamDown did not notice']);
  const bad = {
    ...{ failedOwn: 2, errors: [error], wrongStored: 1, wellMs: 12_000, unwell: 'replica-1 is not ready' },
    ...{ warmMs: { before: 100, during: 2_200 }, mirror: { ordered: 3, lost: 1 } },
  };
  t.same(objectionsTo(drill, { ...outcome, ...bad }, { awaitsConditions: false, awaitsAlerts: false }), [
    "2 pulls failed for the cache's own sake: GET /v2/: status 503",
    '1 blobs were stored with wrong bytes',
    'it was well only after 12.0 s (replica-1 is not ready)',
    'a warm pull took 2.2 s, before the fault 0.1 s',
    '1 of 3 tasks of the mirror were lost',
  ]);
  t.end();
});

test('a fault that nothing met is no drill', (t) => {
  const none = { awaitsConditions: false, awaitsAlerts: false };
  t.same(objectionsTo(drill, { ...outcome, met: 0 }, none), ['nothing met the fault: it proves nothing']);
  t.same(objectionsTo(drill, { ...outcome, met: 1 }, none), []);
  t.end();
});

test('times are not judged where the process of the drill stood still', (t) => {
  const late = { ...outcome, wellMs: 12_000, warmMs: { before: 100, during: 9_000 }, stalledMs: 900 };
  const none = { awaitsConditions: false, awaitsAlerts: false };
  t.same(objectionsTo(drill, late, none), []);
  t.equal(objectionsTo(drill, { ...late, stalledMs: 100 }, none).length, 2);
  t.match(objectionsTo(drill, { ...late, failedOwn: 1 }, none), [/^1 pulls failed/]);
  t.end();
});

test('the page says what was missed, and what was not played', (t) => {
  const result = {
    ...({ format: 'quayside drill 1', startedAt: '2026-01-01T00:00:00.000Z', tookMs: 60_000 } as const),
    ...({ form: 'short', machine: 'a machine', fleet: '3 replicas', limits: [] } as const),
    outcomes: [
      { ...outcome, objections: ['QuaysideUpstreamDown did not notice'] },
      { ...outcome, name: 's3-dead', skipped: 'no S3 server', objections: [] },
    ],
  };
  const page = drillPage(result);
  t.match(page, /^# Drill: 1 of 1 drills missed a bar$/m);
  t.match(page, /^- upstream-dead: QuaysideUpstreamDown did not notice$/m);
  t.match(page, /^- s3-dead: no S3 server$/m);
  t.notOk(isPassed(result));
  const unplayed = { ...result, outcomes: result.outcomes.slice(1) };
  t.notOk(isPassed(unplayed), 'nothing was played');
  t.match(drillPage(unplayed), /^# Drill: nothing was played$/m);
  t.end();
});

test('each alert that a drill waits for is one that is shipped', async (t) => {
  const shipped = new Set((await alertRules()).map(({ alert }) => alert));
  t.same(
    drills.flatMap(({ alerts }) => alerts).filter((alert) => !shipped.has(alert)),
    [],
  );
  t.equal(new Set(drills.map(({ name }) => name)).size, drills.length);
});

test('each alert that is shipped has a drill, or a reason why it has none', async (t) => {
  const drilled = new Set(drills.flatMap(({ alerts }) => alerts));
  for (const { alert } of await alertRules())
    t.not(drilled.has(alert), alert in undrilledAlerts, `${alert}: one of both`);
  const shipped = alertNames(await readFile(rulesFile, 'utf8'));
  t.same(new Set(shipped), new Set((await alertRules()).map(({ alert }) => alert)));
  t.same(
    Object.keys(undrilledAlerts).filter((alert) => !shipped.includes(alert)),
    [],
  );
});

test('the page says which alerts fired in no drill, and why', (t) => {
  const result = {
    ...({ format: 'quayside drill 1', startedAt: '2026-01-01T00:00:00.000Z', tookMs: 60_000 } as const),
    ...({ form: 'long', machine: 'a machine', fleet: '3 replicas', limits: [] } as const),
    alerts: ['QuaysideUpstreamDown', 'QuaysideClockOff', 'QuaysidePruneOverdue'],
    outcomes: [{ ...outcome, noticed: { QuaysideUpstreamDown: 1 }, objections: [] }],
  };
  const page = drillPage(result);
  t.match(page, /^1 of the 3 alerts that are shipped fired\.$/m);
  t.match(page, /^- QuaysideClockOff: not played: clock-ahead, clock-behind$/m);
  t.match(page, /^- QuaysidePruneOverdue: quayside prune is no part of a fleet$/m);
  t.end();
});

test('an interrupted run shows what was played, and has not passed', (t) => {
  const result = {
    ...({ format: 'quayside drill 1', startedAt: '2026-01-01T00:00:00.000Z', tookMs: 60_000 } as const),
    ...({ form: 'long', machine: 'a machine', fleet: '3 replicas', limits: [] } as const),
    ...{ isInterrupted: true as const, outcomes: [{ ...outcome, objections: [] }] },
  };
  t.match(drillPage(result), /^# Drill: interrupted, until then passed$/m);
  t.match(drillPage(result), /^\| upstream-dead \|/m);
  t.notOk(isPassed(result));
  t.end();
});

test('the document lists every drill, with what is to notice it', async (t) => {
  const page = await readFile(new URL('../../docs/drill.md', import.meta.url), 'utf8');
  for (const { name, isShort, fault, conditions, alerts } of drills) {
    const noticing = [...conditions, ...alerts].map((each) => `\`${each}\``).join(', ') || '-';
    t.ok(page.includes(`| \`${name}\`${isShort ? ' *' : ''} | ${fault} | ${noticing} |`), name);
  }
});
