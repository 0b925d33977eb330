import { test } from 'tap';
import { mirrorHold, mirrorRelease } from '../../../src/cli/mirror/hold.ts';
import { admin } from '../admin-rig.ts';
import { recordedIo } from '../io.ts';

const destination = 'quay.io/openshift/ci:ci_tool_latest';

test('a destination is held until it is released', async (t) => {
  const { holds, at } = await admin(t);
  const io = recordedIo();
  t.equal(await mirrorHold([...at, '--why', 'reverted by hand', destination], io), 0);
  t.equal(io.out(), `${destination}: held until its release\n`);
  t.match(await holds.find(destination), { why: 'reverted by hand', until: undefined });
  const after = recordedIo();
  t.equal(await mirrorRelease([...at, destination], after), 0);
  t.equal(after.out(), `${destination}: released\n`);
  t.equal(await holds.find(destination), undefined);
});

test('a hold ends at a time, or after a duration', async (t) => {
  const { at, holds } = await admin(t);
  const io = recordedIo();
  t.equal(await mirrorHold([...at, '--until', '2199-12-01T12:00:00+01:00', destination], io), 0);
  t.equal(io.out(), `${destination}: held until 2199-12-01T11:00:00.000Z\n`);
  t.equal(await mirrorHold([...at, '--until=12h', destination], recordedIo()), 0);
  const { until = 0 } = (await holds.find(destination)) ?? {};
  t.ok(Math.abs(until - Date.now() - 12 * 3_600_000) < 60_000);
});

test('what the server refuses is told in its words', async (t) => {
  const { at, host } = await admin(t);
  const io = recordedIo();
  t.equal(await mirrorHold([...at, 'quay.io/openshift/ci'], io), 1);
  t.match(io.err(), `quayside mirror hold: ${host} refuses: quay.io/openshift/ci: must be an image`);
  t.equal(await mirrorRelease([...at, destination], io), 1);
  t.match(io.err(), `quayside mirror release: ${host} refuses: no hold on ${destination}`);
  t.equal(await mirrorHold(['--admin', 'http://127.0.0.1:1', destination], io), 1);
  t.match(io.err(), 'quayside mirror hold: 127.0.0.1:1 cannot be asked (');
});

test('a command line of a hold that means nothing is refused', async (t) => {
  for (const args of [
    [],
    ['a', 'b'],
    ['--until', 'soon', destination],
    ['--until', '12', destination],
    ['--untill', 'x', destination],
  ])
    await t.rejects(mirrorHold(args, recordedIo()), { name: 'UsageError' }, args.join(' '));
  await t.rejects(mirrorRelease([], recordedIo()), { name: 'UsageError' });
});

test('-o json prints the hold, and its end', async (t) => {
  const { at } = await admin(t);
  const io = recordedIo();
  t.equal(await mirrorHold([...at, '-o', 'json', '--why', 'bug 1', destination], io), 0);
  t.match(JSON.parse(io.out()), { destination, why: 'bug 1' });
  const after = recordedIo();
  t.equal(await mirrorRelease([...at, '-o', 'json', destination], after), 0);
  t.same(JSON.parse(after.out()), { destination, released: true });
});
