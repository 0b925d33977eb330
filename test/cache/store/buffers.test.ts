import { test } from 'tap';
import { type BufferPool, bufferPool, type Place } from '../../../src/cache/store/buffers.ts';

const options = { bufferBytes: 1000, maxBytes: 6000, spareBytes: 2000 };

/** Takes a block, reading the offset into it, and says how often that was needed. */
function reader(place: Place | undefined) {
  let reads = 0;
  return {
    reads: () => reads,
    async take(offset: number) {
      const block = place?.take(offset, async (target) => {
        reads += 1;
        target.fill(offset);
        return target;
      });
      return { bytes: await block?.bytes, release: () => block?.release() };
    },
    leave: () => place?.leave(),
  };
}

const pair = (pool: BufferPool, file?: string) => [reader(pool.join(file)), reader(pool.join(file))] as const;

test('there are only as many places as the limit has buffers for', (t) => {
  const pool = bufferPool(options);
  const places = [pool.join(), pool.join('a'), pool.join('a')];
  t.equal(pool.usedBytes, 6000);
  t.equal(pool.join('a'), undefined);
  places[0]?.leave();
  t.ok(pool.join());
  t.end();
});

test('who reads alone uses the same buffers again', async (t) => {
  const alone = reader(bufferPool(options).join('a'));
  const first = await alone.take(0);
  first.release();
  const second = await alone.take(1);
  t.equal(second.bytes, first.bytes);
  second.release();
  await alone.take(0);
  t.equal(alone.reads(), 3);
});

test('a block stays for those who come behind', async (t) => {
  const [ahead, behind] = pair(bufferPool(options), 'a');
  for (let offset = 0; offset < 4; offset += 1) (await ahead.take(offset)).release();
  for (let offset = 0; offset < 4; offset += 1) {
    const block = await behind.take(offset);
    t.equal(block.bytes?.[0], offset);
    block.release();
  }
  t.equal(behind.reads(), 0);
});

test('when room ends, the block that was left first gives way, and none that somebody holds', async (t) => {
  const [ahead, behind] = pair(bufferPool(options), 'a');
  const held = await behind.take(0);
  for (let offset = 1; offset < 10; offset += 1) (await ahead.take(offset)).release();
  t.equal(held.bytes?.[0], 0);
  t.equal((await behind.take(5)).bytes?.[0], 5);
  t.equal(behind.reads(), 1);
  await behind.take(4);
  t.equal(behind.reads(), 2);
});

test('without a name nothing is shared', async (t) => {
  const [one, two] = pair(bufferPool(options));
  const first = await one.take(0);
  const second = await two.take(0);
  t.not(first.bytes, second.bytes);
  t.equal(two.reads(), 1);
});

test('a reading that failed is told to all who wait for it, and tried again by the next', async (t) => {
  const pool = bufferPool(options);
  const [one, two] = [pool.join('a'), pool.join('a')];
  const failing = () => Promise.reject(new Error('the disk is broken'));
  for (const block of [one?.take(0, failing), two?.take(0, failing)]) {
    await t.rejects(async () => block?.bytes, /broken/);
    block?.release();
  }
  t.equal((await reader(two).take(0)).bytes?.[0], 0);
});
