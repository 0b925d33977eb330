import { test } from 'tap';
import { atSpeed, inOrder, shareOf } from '../../src/load/arrivals.ts';
import type { Arrival, Arrivals } from '../../src/load/work.ts';

const at = (atMs: number, node = 'a'): Arrival => ({
  atMs,
  node,
  work: { kind: 'request', method: 'GET', path: '/v2/' },
});

const told = async (arrivals: Arrivals) =>
  (await Array.fromAsync(arrivals)).map(({ atMs, node }) => `${node} ${atMs}`);

test('ten times the speed is a tenth of the time', async (t) => {
  t.same(await told(atSpeed([at(0), at(500)], 10)), ['a 0', 'a 50']);
});

test('arrivals of several sources come in the order of their time', async (t) => {
  const both = inOrder([[at(1), at(5)], [], [at(2, 'b'), at(2, 'c'), at(9, 'b')]]);
  t.same(await told(both), ['a 1', 'b 2', 'c 2', 'a 5', 'b 9']);
});

test('each arrival is the share of one process, and those of a node of the same one', async (t) => {
  const all = [at(1), at(2, 'b'), at(3, 'c'), at(4), at(5, 'b')];
  t.same(await told(shareOf(all, { process: 0, processes: 2 })), ['a 1', 'c 3', 'a 4']);
  t.same(await told(shareOf(all, { process: 1, processes: 2 })), ['b 2', 'b 5']);
});
