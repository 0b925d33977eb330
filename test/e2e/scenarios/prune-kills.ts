import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { concurrently } from '../../../src/base/flow/each.ts';
import { integratedRig } from '../../cli/prune/integrated-rig.ts';
import { digestFor } from '../../prune/memory-place.ts';
import { until } from '../../support/program.ts';
import { command } from '../fixtures/quayside.ts';
import type { Scene } from '../scenario.ts';

type Rig = Awaited<ReturnType<typeof integratedRig>>;

/** One object at a time, so that the order of the writes is the same each time. */
const words = ['--confirm', '--keep-tag-revisions', '1', '--num-workers', '1'];
const staying = ['a', 'b'];
const killsAtOnce = 2;

/**
 * `quayside prune images` is killed with SIGKILL at each boundary between two of its writes. At
 * each second one the last write happens, and its answer comes too late.
 */
export async function killFacts({ stage, fact }: Scene): Promise<void> {
  let whole: ReadonlySet<string> = new Set();
  const killed: { readonly at: number; readonly rig: Rig }[] = [];

  await fact('a run that nothing kills deletes all that may go', async () => {
    const rig = await filledRig({ stage }, 0);
    const { code, stderr } = await stage.run(process.execPath, commandOf(rig), { mayFail: true });
    assert.equal(code, 0, stderr);
    assertFinished(rig);
    whole = new Set(rig.writes);
    assert.ok(whole.size > 8, `${whole.size} writes`);
  });
  await fact('killed between any two writes, it leaves nothing half deleted', async () => {
    const boundaries = Array.from({ length: whole.size - 1 }, (_, index) => index + 1);
    await concurrently(boundaries, killsAtOnce, async (at) => {
      const rig = await filledRig({ stage }, at);
      await killedAt({ stage }, rig, at);
      killed.push({ at, rig });
      assertNothingLost(rig, `killed at ${at}`);
    });
  });
  await fact('after each kill the next run finishes, and deletes all of it and nothing else', async () => {
    assert.equal(killed.length, whole.size - 1);
    await concurrently(killed, killsAtOnce, async ({ at, rig }) => {
      // As if the 15 s were over in which the lease is still the dead one's.
      await rm(join(rig.dir, 'store/v1/leases'), { recursive: true });
      const { code, err } = await rig.run(...words);
      assert.equal(code, 0, `killed at ${at}: ${err}`);
      assert.deepEqual(new Set(rig.writes), whole, `killed at ${at}`);
      assertFinished(rig);
    });
  });
}

function commandOf(rig: Rig): readonly string[] {
  return [command, 'prune', 'images', ...rig.words, ...words];
}

/** Two streams with a layer in common, and one Image that no stream needs any more. */
async function filledRig({ stage }: Pick<Scene, 'stage'>, at: number): Promise<Rig> {
  const dir = join(stage.directory, `killed-at-${at}`);
  const owner = {
    teardown: (end: () => void) => stage.defer(async () => end()),
    testdir(files: Record<string, string>): string {
      mkdirSync(dir);
      for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
      return dir;
    },
  };
  const rig = await integratedRig(owner, Date.now());
  for (const name of ['a', 'b', 'c']) rig.addImage(name, { layers: ['base', `${name}-layer`] });
  rig.addStream('ns/app', { latest: ['a', 'b'] });
  rig.addStream('ns/two', { latest: ['b', 'c'] });
  return rig;
}

async function killedAt({ stage }: Pick<Scene, 'stage'>, rig: Rig, at: number): Promise<void> {
  const program = await stage.start(process.execPath, commandOf(rig), { name: `killed-at-${at}` });
  let count = 0;
  rig.switches.before = () => {
    count += 1;
    if (count < at + 1) return;
    if (count === at + 1) process.kill(program.pid, 'SIGKILL');
    if (count > at + 1 || at % 2 === 1) throw new Error('the program is killed');
  };
  await until(`write ${at + 1}`, () => count > at, 60_000);
  assert.equal((await program.stop('SIGKILL')).signal, 'SIGKILL');
  delete rig.switches.before;
}

/** What stays has all its blobs and links, and an Image that is gone has left no blob. */
function assertNothingLost(rig: Rig, when: string): void {
  const { writes, images, blobOf, linkOf, imageOf } = rig;
  for (const name of staying) {
    assert.ok(images.has(digestFor(name)), `Image ${name}, ${when}`);
    for (const blob of [name, 'base', `${name}-layer`, `${name}-config`])
      assert.ok(!writes.includes(blobOf(blob)), `blob ${blob}, ${when}`);
  }
  for (const [stream, image] of [
    ['ns/app', 'a'],
    ['ns/two', 'b'],
  ] as const) {
    const isNamed = JSON.stringify(rig.streams.get(stream)).includes(digestFor(image));
    assert.ok(isNamed, `${stream} names ${image}, ${when}`);
    assert.ok(!writes.includes(linkOf('manifests', image, stream)), `${stream}, ${when}`);
    for (const blob of ['base', `${image}-layer`, `${image}-config`])
      assert.ok(!writes.includes(linkOf('blobs', blob, stream)), `${blob} in ${stream}, ${when}`);
  }
  for (const [stream, image] of [
    ['ns/app', 'b'],
    ['ns/two', 'c'],
  ] as const) {
    const isNamed = JSON.stringify(rig.streams.get(stream)).includes(digestFor(image));
    const isUnlinked = writes.includes(linkOf('manifests', image, stream));
    assert.ok(!(isNamed && isUnlinked), `${stream} names ${image}, whose link is gone, ${when}`);
  }
  if (writes.includes(imageOf('c')))
    for (const blob of ['c-layer', 'c-config', 'c'])
      assert.ok(writes.includes(blobOf(blob)), `blob ${blob} before its Image, ${when}`);
}

function assertFinished(rig: Rig): void {
  assertNothingLost(rig, 'at the end');
  assert.deepEqual(new Set(rig.images.keys()), new Set(staying.map(digestFor)));
  assert.deepEqual([rig.itemsOf('ns/app'), rig.itemsOf('ns/two')], [1, 1]);
}
