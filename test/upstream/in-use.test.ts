import { test } from 'tap';
import { bytesOf } from '../../src/oci/content.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { countedUpstream } from '../../src/upstream/in-use.ts';
import { app, blobIn, rig, v1 } from './rig.ts';

/** Whether a promise has resolved by now. */
function followed(promise: Promise<unknown>): { readonly isOver: () => Promise<boolean> } {
  let isOver = false;
  void promise.then(() => {
    isOver = true;
  });
  return {
    async isOver() {
      await Promise.resolve();
      return isOver;
    },
  };
}

test('an upstream is idle once no question and no body is under way', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 300_000);
  const { upstream: counted, idle } = countedUpstream(upstream);
  await t.resolves(idle());
  const blob = await counted.openBlob(app, layer.digest);
  const waiting = followed(idle());
  for await (const _ of blob?.body ?? []) t.notOk(await waiting.isOver());
  blob?.close();
  await t.resolves(idle());
  t.ok(await waiting.isOver());
});

test('answers that fail, find nothing or are passed on leave nothing under way', async (t) => {
  const { registry, upstream } = await rig(t, { retries: 0 });
  const layer = blobIn(registry, 1_000);
  const { upstream: counted, idle } = countedUpstream(upstream);
  t.match(await counted.manifest(app, v1), { kind: 'absent' });
  const forwarded = await counted.forwardBlob(app, layer.digest, { method: 'GET' });
  const waiting = followed(idle());
  t.notOk(await waiting.isOver());
  for await (const _ of forwarded?.body ?? []);
  await t.resolves(idle());
  registry.switches.down = true;
  await t.rejects(counted.openBlob(app, layer.digest));
  await t.rejects(counted.tags(app, ''));
  await t.resolves(idle());
});

test('what a body can beside being read stays with it', async (t) => {
  const { upstream } = await rig(t);
  let isDistrusted = false;
  const distrust = (): void => {
    isDistrusted = true;
  };
  const openBlob = async () => ({ size: 0, body: bytesOf(Buffer.of()), close: () => {}, distrust });
  const { upstream: counted } = countedUpstream({ ...upstream, openBlob });
  (await counted.openBlob(app, digestOf(Buffer.of())))?.distrust?.();
  t.ok(isDistrusted);
});
