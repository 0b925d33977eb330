import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'tap';
import { RecentFailures } from '../../../src/proxy/http/recent-failures.ts';

test('remembered failures keep no whole URL for the part that is shown', (t) => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const memory = new RecentFailures();
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 2_000; n += 1) {
    const url = `${Buffer.alloc(15_000, 'x').toString('latin1')}${n}`;
    const who = { subject: `user-${n}`, cluster: 'app.ci' };
    const rest = { at: 0, method: 'GET', host: 'h', status: 403, message: 'no', ...who };
    memory.add({ id: String(n), path: url.slice(0, 512), ...rest });
  }
  collect();
  const bytes = process.memoryUsage().heapUsed - before;
  t.ok(memory.find('1999'));
  t.ok(bytes < 10_000_000, `${bytes} bytes`);
  t.end();
});
