import { Registry } from 'prom-client';
import { test } from 'tap';
import { type CountedMirror, mirrorStateMetrics } from '../../../src/telemetry/metrics/mirror.ts';

function shown(mirror: CountedMirror) {
  const registry = new Registry();
  let now = 0;
  mirrorStateMetrics(registry, { now: () => now, wall: () => 100_000 })(mirror);
  const pass = (ms: number): void => {
    now += ms;
  };
  return { text: () => registry.metrics(), pass };
}

test('the process that copies shows its queue', async (t) => {
  const counts = { waiting: 3, running: 2, parked: 1, oldestAt: 40_000 };
  const text = await shown({ counts: () => counts, holds: async () => 0 }).text();
  t.match(text, 'quayside_mirror_leader 1');
  t.match(text, 'quayside_mirror_images{state="waiting"} 3');
  t.match(text, 'quayside_mirror_images{state="running"} 2');
  t.match(text, 'quayside_mirror_images{state="parked"} 1');
  t.match(text, 'quayside_mirror_oldest_waiting_seconds 60');
});

test('another process shows that it does not copy', async (t) => {
  const text = await shown({ counts: () => undefined, holds: async () => 0 }).text();
  t.match(text, 'quayside_mirror_leader 0');
  t.match(text, 'quayside_mirror_images{state="parked"} 0');
  t.match(text, 'quayside_mirror_oldest_waiting_seconds 0');
});

test('holds are counted every five minutes, and missing while the store does not tell', async (t) => {
  let count: number | undefined = 2;
  let asked = 0;
  const holds = async (): Promise<number> => {
    asked += 1;
    if (count === undefined) throw new Error('the store is down');
    return count;
  };
  const { text, pass } = shown({ counts: () => undefined, holds });
  t.match(await text(), 'quayside_mirror_holds 2');
  count = undefined;
  t.match(await text(), 'quayside_mirror_holds 2');
  t.equal(asked, 1, 'as remembered');
  pass(300_001);
  t.match(await text(), /^quayside_mirror_holds Nan$/im);
});
