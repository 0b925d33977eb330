import { type Test, test } from 'tap';
import { ConditionBoard } from '../../src/conditions/board.ts';
import type {
  Condition,
  ConditionFinding,
  ConditionReport,
  ConditionSource,
} from '../../src/conditions/condition.ts';
import { createConditionMemory } from '../../src/conditions/condition-memory.ts';
import { reportJson, reportText } from '../../src/conditions/report-text.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { Records } from '../../src/store/records.ts';
import { until } from '../support/bodies.ts';
import { createManualClock } from '../support/manual-clock.ts';

const minuteMs = 60_000;
const good: ConditionFinding = { status: 'True', reason: 'Works', message: 'it works' };
const bad: ConditionFinding = { status: 'False', reason: 'Refused', message: 'connection refused' };

type Findings = Record<'serving' | 'bucket' | 'upstream' | 'settings', ConditionFinding>;

function sourcesOf(found: Findings): ConditionSource[] {
  const source = (
    kind: Omit<ConditionSource['kinds'][number], 'inertiaMs'> & { inertiaMs?: number },
    look: ConditionSource['look'],
  ): ConditionSource => ({ kinds: [{ inertiaMs: 2 * minuteMs, ...kind }], everyMs: 5_000, look });
  return [
    source({ type: 'Serving', effect: 'serves' }, () => [found.serving]),
    source({ type: 'StorageExists', effect: 'needed', inertiaMs: 0 }, () => [found.bucket]),
    source({ type: 'UpstreamReachable', name: 'quay.io', effect: 'degrades' }, () => [found.upstream]),
    source({ type: 'ConfigurationApplied', effect: 'progresses' }, () => [found.settings]),
  ];
}

/** A service whose parts do as they are told, through its restarts, by a clock that is turned. */
function stage(t: Test, { records = createMemoryStore().records }: { records?: Records } = {}) {
  const clock = createManualClock();
  const found: Findings = { serving: good, bucket: good, upstream: good, settings: good };
  const changes: Condition[][] = [];
  const published: ConditionReport[] = [];
  const make = (): ConditionBoard =>
    new ConditionBoard({
      sources: sourcesOf(found),
      publishers: [
        {
          publish(report, changed) {
            published.push(report);
            if (changed.length > 0) changes.push([...changed]);
          },
          close: async () => {},
        },
      ],
      memory: createConditionMemory(records, clock),
      clock,
      wall: () => 1_000_000_000 + clock.now(),
    });
  let board = make();
  t.teardown(() => board.close());
  return {
    clock,
    found,
    changes,
    published,
    start: () => board.start(),
    restart: async () => {
      await board.close();
      board = make();
      board.start();
    },
    status: () =>
      Object.fromEntries(
        board.report().conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]),
      ),
    report: () => board.report(),
  };
}

const well = { Available: 'True Ready', Progressing: 'False Ready', Degraded: 'False AsExpected' };

test('a service is available once its first checks are done', async (t) => {
  const { clock, start, status } = stage(t);
  start();
  t.same(status(), {
    Available: 'Unknown Starting',
    Progressing: 'Unknown Starting',
    Degraded: 'Unknown Starting',
  });
  await clock.pass(100);
  t.same(status(), well);
});

test('a check that never ends holds up the first answer for 8 s, and counts as no answer', async (t) => {
  const { clock, changes } = stage(t);
  const board = new ConditionBoard({
    sources: [
      {
        kinds: [{ type: 'Serving', effect: 'serves', inertiaMs: 0 }],
        everyMs: 5_000,
        look: () => new Promise<never>(() => {}),
      },
    ],
    publishers: [{ publish: (_report, changed) => void changes.push([...changed]), close: async () => {} }],
    clock,
    wall: () => clock.now(),
  });
  t.teardown(() => board.close());
  board.start();
  await clock.pass(7_000);
  t.same(changes, []);
  await clock.pass(2_000);
  t.match(changes, [[{ type: 'Progressing', status: 'True', reason: 'Starting' }]]);
  t.match(board.report().parts, [{ status: 'Unknown', reason: 'NoAnswer' }]);
});

test('a missing bucket ends Available within 10 s, and makes it Degraded after 5 minutes', async (t) => {
  const { clock, found, start, status } = stage(t);
  start();
  await clock.pass(1_000);
  found.bucket = { status: 'False', reason: 'NoSuchBucket', message: 'there is no bucket quayside' };
  await clock.pass(10_000);
  t.match(status(), { Available: 'False NoSuchBucket', Degraded: 'False AsExpected' });
  await clock.pass(5 * minuteMs);
  t.match(status(), { Available: 'False NoSuchBucket', Degraded: 'True Unavailable' });
  found.bucket = good;
  await clock.pass(6_000);
  t.same(status(), well);
});

test('an S3 that does not answer says nothing of its bucket for 2 minutes', async (t) => {
  const { clock, found, start, report, status } = stage(t);
  start();
  await clock.pass(1_000);
  found.bucket = { status: 'Unknown', reason: 'ECONNRESET', message: 'socket hang up' };
  await clock.pass(minuteMs);
  t.match(report().parts[1], { status: 'True', pending: { status: 'Unknown', reason: 'ECONNRESET' } });
  await clock.pass(2 * minuteMs);
  t.match(report().parts[1], { status: 'Unknown' });
  t.same(status(), well);
});

test('a part that fails for 2 minutes makes the service Degraded, and says which one and why', async (t) => {
  const { clock, found, start, status, report } = stage(t);
  start();
  await clock.pass(1_000);
  found.upstream = bad;
  await clock.pass(minuteMs);
  t.match(status(), well);
  t.match(report().parts[2], { status: 'True', pending: { status: 'False', reason: 'Refused' } });
  t.match(reportText(report()), /UpstreamReachable quay\.io {2}True .*\n +False since .*, counts at /);
  await clock.pass(minuteMs + 10_000);
  t.match(status(), { Available: 'True MinimumAvailability', Degraded: 'True Refused' });
  t.match(reportJson(report()), {
    conditions: [{}, {}, { message: 'UpstreamReachable quay.io: connection refused' }],
  });
});

test('several faults are named as a ClusterOperator names them', async (t) => {
  const { clock, found, start, status } = stage(t);
  start();
  found.serving = bad;
  found.bucket = { ...bad, reason: 'NoSuchBucket' };
  await clock.pass(3 * minuteMs);
  t.match(status(), { Available: 'False Serving_Refused::StorageExists_NoSuchBucket' });
});

test('settings that wait for a restart make it Progressing', async (t) => {
  const { clock, found, start, status } = stage(t);
  start();
  found.settings = { status: 'False', reason: 'RestartNeeded', message: 'listen' };
  await clock.pass(minuteMs);
  t.match(status(), { Progressing: 'False Ready' });
  await clock.pass(2 * minuteMs);
  t.match(status(), { Progressing: 'True RestartNeeded' });
});

test('a hundred restarts of the service, with parts that are down meanwhile, are no blip', async (t) => {
  const { clock, found, changes, start, restart, report } = stage(t);
  start();
  await clock.pass(10_000);
  const before = report().conditions;
  changes.length = 0;
  for (let count = 0; count < 100; count += 1) {
    found.serving = bad;
    found.upstream = bad;
    await restart();
    await clock.pass(30_000);
    found.serving = good;
    found.upstream = good;
    await clock.pass(20_000);
    t.same(report().conditions, before, `restart ${count}`);
  }
  t.same(changes, []);
});

test('a service that was Degraded before a restart is so after it, since the same time', async (t) => {
  const { clock, found, changes, start, restart, report } = stage(t);
  start();
  found.upstream = bad;
  await clock.pass(5 * minuteMs);
  const [, , degraded] = report().conditions;
  t.match(degraded, { type: 'Degraded', status: 'True' });
  changes.length = 0;
  await restart();
  await clock.pass(10_000);
  t.same(report().conditions[2], degraded);
  t.same(changes, []);
  found.upstream = good;
  await clock.pass(10_000);
  t.match(changes, [
    [
      { type: 'Degraded', status: 'False' },
      { type: 'UpstreamReachable', status: 'True' },
    ],
  ]);
});

test('a memory that cannot be read, or holds something else, delays nothing for more than 3 s', async (t) => {
  const { records } = createMemoryStore();
  const faulty: Records[] = [
    { ...records, get: () => Promise.reject(new Error('S3 is gone')) },
    { ...records, get: () => new Promise<never>(() => {}) },
    {
      ...records,
      get: async () => ({ bytes: Buffer.from('{"version":1,"conditions":[7,{}]}'), version: '' }),
    },
  ];
  for (const each of faulty) {
    const { clock, start, status } = stage(t, { records: each });
    start();
    await clock.pass(3_500);
    t.same(status(), well);
  }
});

test('a source that never answers does not hold up the end', async () => {
  const board = new ConditionBoard({
    sources: [
      {
        kinds: [{ type: 'StorageExists', effect: 'needed', inertiaMs: 0 }],
        everyMs: 5_000,
        look: () => new Promise<never>(() => {}),
      },
    ],
    publishers: [],
    clock: createManualClock(),
  });
  board.start();
  await board.close();
});

test('words from outside are one line of bounded length', async (t) => {
  const { clock, found, start, report } = stage(t);
  const reason = 'R'.repeat(1_000);
  found.bucket = { status: 'False', reason, message: `\u001b[2J<html>\r\n${'x'.repeat(1_000_000)}` };
  start();
  await clock.pass(10_000);
  const bucket = report().parts.find(({ type }) => type === 'StorageExists');
  t.match(bucket, { status: 'False', message: /^\?\[2J<html> x+\.\.\.$/ });
  t.equal(bucket?.message.length, 500);
  t.equal(bucket?.reason.length, 128);
});

test('words that change all the time are published once a minute, and a status at once', async (t) => {
  const { clock, found, start, published } = stage(t);
  start();
  await clock.pass(10_000);
  published.length = 0;
  for (let count = 0; count < 60; count += 1) {
    found.settings = { ...good, message: `${count} images wait` };
    await clock.pass(5_000);
  }
  t.ok(published.length >= 4 && published.length <= 6, `${published.length} in 5 minutes`);
  found.bucket = bad;
  await clock.pass(5_000);
  t.match(published.at(-1)?.conditions[0], { type: 'Available', status: 'False' });
});

test('other sources take the place of those before: what counts stays, and what is gone is gone', async (t) => {
  const clock = createManualClock();
  const looks: string[] = [];
  const source = (name: string): ConditionSource => ({
    kinds: [{ type: 'UpstreamReachable', name, effect: 'degrades', inertiaMs: 0 }],
    everyMs: 5_000,
    look() {
      looks.push(name);
      return [bad];
    },
  });
  const board = new ConditionBoard({ sources: [source('a'), source('b')], publishers: [], clock });
  t.teardown(() => board.close());
  board.start();
  await until(() => looks.length === 2);
  board.replace([source('b'), source('c')]);
  const parts = () => board.report().parts.map(({ name, reason }) => `${name} ${reason}`);
  t.same(parts(), ['b Refused', 'c Starting']);
  await until(() => parts()[1] === 'c Refused');
  t.same(parts(), ['b Refused', 'c Refused']);
  looks.length = 0;
  await clock.pass(5_000);
  await until(() => looks.length === 2);
  t.same(new Set(looks), new Set(['b', 'c']), 'a source that was replaced is looked at no more');
});

test('a shorter inertia makes all of them count sooner, in their ratio', async (t) => {
  const clock = createManualClock();
  const bad = { status: 'False', reason: 'Down', message: 'it is down' } as const;
  const usual = { type: 'StoreUsable', effect: 'degrades', inertiaMs: 120_000 } as const;
  const long = { ...usual, type: 'ClusterReachable', inertiaMs: 300_000 };
  const board = new ConditionBoard({
    sources: [{ kinds: [usual, long], everyMs: 1_000, look: () => [bad, bad] }],
    publishers: [],
    inertiaMs: 4_000,
    clock,
    wall: () => clock.now(),
  });
  t.teardown(() => board.close());
  board.start();
  await clock.pass(6_500);
  t.match(board.report().parts, [{ status: 'False' }, { status: 'Unknown', pending: { countsAt: 10_000 } }]);
  await clock.pass(6_000);
  t.match(board.report().parts, [{ status: 'False' }, { status: 'False' }]);
});
