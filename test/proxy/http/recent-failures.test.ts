import { test } from 'tap';
import { type FailedRequest, RecentFailures } from '../../../src/proxy/http/recent-failures.ts';

function request(id: string, subject?: string): FailedRequest {
  const who = subject === undefined ? {} : { subject, cluster: 'app.ci' };
  return { id, at: 0, method: 'GET', path: '/v2/', host: 'h', status: 403, message: 'no', ...who };
}

test('the latest are kept, the oldest go', async (t) => {
  const memory = new RecentFailures({ most: 4, mostOfOne: 4 });
  for (const id of ['1', '2', '3', '4', '5']) memory.add(request(id, `user-${id}`));
  t.equal(memory.find('1'), undefined);
  t.same(
    ['2', '3', '4', '5'].map((id) => memory.find(id)?.id),
    ['2', '3', '4', '5'],
  );
});

test('the flood of one subject, or of those without one, pushes out its own alone', async (t) => {
  const memory = new RecentFailures({ most: 8, mostOfOne: 2 });
  memory.add(request('ann-1', 'ann'));
  for (let n = 0; n < 1_000; n += 1) {
    memory.add(request(`bob-${n}`, 'bob'));
    memory.add(request(`none-${n}`));
  }
  t.ok(memory.find('ann-1'));
  t.ok(memory.find('bob-999'));
  t.ok(memory.find('bob-998'));
  t.notOk(memory.find('bob-997'));
  t.notOk(memory.find('none-997'));
});

test('users of the same name at two clusters are two', async (t) => {
  const memory = new RecentFailures({ most: 8, mostOfOne: 1 });
  memory.add(request('a', 'ann'));
  memory.add({ ...request('b', 'ann'), cluster: 'build01' });
  t.ok(memory.find('a'));
  t.ok(memory.find('b'));
});

test('those without a subject take no place of a subject', async (t) => {
  const memory = new RecentFailures({ most: 4, mostOfOne: 2 });
  for (const id of ['1', '2', '3', '4']) memory.add(request(id, `user-${id}`));
  for (const id of ['a', 'b', 'c']) memory.add(request(id));
  for (const id of ['1', '2', '3', '4', 'b', 'c']) t.ok(memory.find(id), id);
  t.notOk(memory.find('a'));
});
