import { once } from 'node:events';
import { createServer } from 'node:net';
import { fastify } from 'fastify';
import { test } from 'tap';
import { createDuties } from '../../src/app/duties.ts';
import { load } from '../../src/config/load.ts';
import { freePort } from '../support/program.ts';

test('duties that one port kept from beginning begin once it is free', async (t) => {
  const page = await freePort();
  const other = createServer().listen(page, '127.0.0.1');
  await once(other, 'listening');
  const config = load(`admin: { listen: 127.0.0.1:0 }\nmirror: { listen: 127.0.0.1:${page} }`, {});
  const begun: string[] = [];
  const duties = createDuties(config, {
    ...{ admin: fastify(), mirrorPage: fastify() },
    work: [() => void begun.push('work')],
  });
  t.teardown(() => duties.close());
  await t.rejects(duties.start(), { code: 'EADDRINUSE' });
  t.same(begun, []);
  other.close();
  await once(other, 'close');
  t.match(await duties.start(), { adminAddress: /^127\.0\.0\.1:/, mirrorAddress: `127.0.0.1:${page}` });
  t.same(begun, ['work']);
});
