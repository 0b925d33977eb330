import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import type { Digest } from '../../../src/oci/digest.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import type { DiskTierEvents } from '../../../src/store/disk-tier/events.ts';
import { KeptFiles } from '../../../src/store/disk-tier/kept-files.ts';
import { randomContent, until } from '../../support/bodies.ts';

const silentEvents: DiskTierEvents = {
  diskRead: () => undefined,
  diskChanged: () => undefined,
  diskEvicted: () => undefined,
  diskFailed: () => undefined,
  diskUsabilityChanged: () => undefined,
};

test('workers on one disk count each other’s copies, so that together they keep within its size', async (t) => {
  const path = t.testdir();
  const buffers = createBufferPool();
  const workers: KeptFiles[] = [];
  const make = (index: number): KeptFiles => {
    const told = ({ digest, size }: { digest: Digest; size?: number }): void =>
      workers[1 - index]?.noted(digest, size);
    const events = { ...silentEvents, copyChanged: told };
    return new KeptFiles({ path, maxBytes: 2_500, buffers, events });
  };
  for (const index of [0, 1]) workers.push(make(index));
  const [one, other] = workers;
  const digests: Digest[] = [];
  for (let index = 0; index < 4; index += 1) {
    const { bytes, descriptor } = randomContent(1_000);
    const file = join(path, `download-${index}`);
    await writeFile(file, bytes);
    t.ok(await workers[index % 2]?.adopt(descriptor, file));
    digests.push(descriptor.digest);
    await until(() => digests.filter((digest) => one?.has(digest)).length === Math.min(2, index + 1));
  }
  t.same(
    digests.map((digest) => [one?.has(digest), other?.has(digest)]),
    [
      [false, false],
      [false, false],
      [true, true],
      [true, true],
    ],
    'the oldest gave way, whoever had added them',
  );
});
