import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { Expression } from '../../../src/base/text/expression.ts';
import { createPlanThread } from '../../../src/cache/eviction/plan-thread.ts';
import { createPlanner } from '../../../src/cache/eviction/planner.ts';

import { digestOf } from '../../../src/oci/digest.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { hourMs, image, layerBytes, tagged } from './eviction-fixture.ts';

const pins = ['ci:b$'];
const never = new AbortController().signal;

async function stage(t: Test) {
  const path = mkdtempSync(join(tmpdir(), 'quayside-eviction-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  const store = createFilesystemStore({ path });
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  await tagged(store, 'b', (images[1] ?? images[0])?.manifest ?? digestOf(Buffer.alloc(0)));
  const [a] = images;
  const question = {
    ...{ maxBytes: 2.7 * layerBytes, highPercent: 90, lowPercent: 80, graceMs: hourMs },
    now: Date.now() + 24 * hourMs,
    uses: a === undefined ? [] : a.digests.map((digest) => [digest, Date.now() + 12 * hourMs] as const),
    inUse: [],
    keepMembersMs: undefined,
  };
  return { path, store, question };
}

test('a thread plans as this one does, with pins and with uses that are not on record', async (t) => {
  const { path, store, question } = await stage(t);
  const here = createPlanner({ store, pins: pins.map((pin) => Expression.anywhere(pin)) });
  const there = createPlanThread({ place: { filesystem: { path } }, pins });
  const plan = await there(question, never);
  t.ok((plan.plan?.delete.length ?? 0) > 0);
  t.same(plan, await here(question, never));
  t.same(await there({ ...question, maxBytes: 1e9 }, never), { blobs: plan.blobs, bytes: plan.bytes });
});

test('a store that cannot be read is a failure of the run, and an end of it ends the thread', async (t) => {
  const { path, question } = await stage(t);
  const there = createPlanThread({ place: { filesystem: { path: join(path, 'file') } }, pins });
  await writeFile(join(path, 'file'), '');
  t.same(await there(question, never), { blobs: 0, bytes: 0 });
  const ended = new AbortController();
  const plan = createPlanThread({ place: { filesystem: { path } }, pins })(question, ended.signal);
  ended.abort(new Error('the evictor is closed'));
  await t.rejects(plan, { message: 'the evictor is closed' });
  const wrong = createPlanThread({ place: { filesystem: { path } }, pins: ['('] });
  await t.rejects(wrong(question, never), { message: /is not a regular expression/ });
});
