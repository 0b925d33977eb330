import { test } from 'tap';
import { until } from '../support/bodies.ts';
import type { S3Switches } from '../support/s3-double.ts';
import { digestOrCut, isPulled } from './rig.ts';
import { overS3, stored } from './s3-rig.ts';

/** S3 is there and of no use. */
const silences: readonly (readonly [what: string, Partial<S3Switches>])[] = [
  ['never answers', { silent: true }],
  ['sends 10 KB a second', { bytesPerSecond: 10_000 }],
];

test('an S3 that is of no use costs no pull', { jobs: 4 }, (t) => {
  for (const [what, trouble] of silences) {
    void t.test(`cold and warm, when it ${what}`, { buffered: true }, async (t) => {
      const { s3, rig } = await overS3(t, {}, '1s');
      Object.assign(s3.switches, trouble);
      t.ok(await isPulled(rig), 'cold');
      t.ok(await isPulled(rig), 'warm');
      t.equal((await fetch(`${rig.url}/readyz`)).status, 200);
    });
    void t.test(`after a restart, when it ${what}`, { buffered: true }, async (t) => {
      const first = await overS3(t);
      await stored(first);
      await first.rig.stop();
      Object.assign(first.s3.switches, trouble);
      const { rig } = await overS3(t, first, '1s');
      t.ok(await isPulled(rig), 'from what is left');
      t.ok(await isPulled(rig), 'once more');
    });
  }
  t.end();
});

test('warm pulls from an S3 that falls silent wait a few seconds once, and the service stays ready', async (t) => {
  const first = await overS3(t, {}, '1s');
  await stored(first);
  first.s3.switches.silent = true;
  await Promise.all(
    [first.rig.getLayer(), first.rig.getLayer(), first.rig.getLayer()].map(async (answer) => {
      t.equal(await digestOrCut(await answer), first.rig.layer.digest);
    }),
  );
  await until(
    () => first.rig.log.some(({ msg }) => /^S3 circuit breaker opened/.test(msg)),
    'the line in the log',
  );
  const asked = () => first.s3.requests.filter(({ key }) => !key.includes('probes/')).length;
  const before = asked();
  t.ok(await isPulled(first.rig));
  t.equal((await fetch(`${first.rig.url}/readyz`)).status, 200);
  t.equal(asked(), before, 'no pull waits for S3 any more');
  t.match(await first.rig.metrics(), /^quayside_store_available 0$/m);
  const lines = first.rig.log.length;
  for (let time = 0; time < 3; time += 1) await isPulled(first.rig);
  t.notOk(
    first.rig.log.slice(lines).some(({ msg }) => /^the store failed/.test(msg)),
    'told once',
  );
});
