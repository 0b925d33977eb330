import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { type Test, test } from 'tap';
import { BlobMembership } from '../../../src/cache/blobs/blob-membership.ts';
import { PullThrough } from '../../../src/cache/blobs/pull-through.ts';
import { Undeliverable } from '../../../src/cache/blobs/undeliverable.ts';
import { createFills } from '../../../src/cache/fills/fills.ts';
import { createSpool } from '../../../src/cache/fills/spool.ts';
import { createCacheContext } from '../../../src/cache/registry/context.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { createTempFiles } from '../../../src/store/filesystem/temp-files.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { createUpstream } from '../../../src/upstream/client/client.ts';
import { made as s3Made } from '../../store/s3/s3-store-fixture.ts';
import { randomContent, readAll, until } from '../../support/bodies.ts';
import { registryDouble } from '../../support/registry-double.ts';
import type { Misbehaviours } from '../../support/registry-misbehaviours.ts';

const repository = parseRepository('team/app');
const size = 2_000_000;

/** A store for the test, whose directory there is from then on. */
const media: Readonly<Record<string, (t: Test) => Promise<Store>>> = {
  async memory(t) {
    t.testdir();
    return createMemoryStore();
  },
  filesystem: async (t) => createFilesystemStore({ path: join(t.testdir(), 'store') }),
  s3: async (t) => (await s3Made(t)).store,
};

/** One cache before two upstreams that have the same blob. */
async function rig(t: Test, medium = media['memory']) {
  const store = (await medium?.(t)) ?? createMemoryStore();
  const spooled: number[] = [0];
  const wrong: string[] = [];
  const parts = createCacheContext({
    store,
    spool: { path: join(t.testdirName, 'spool'), maxBytes: 1e9 },
    memory: { maxBytes: 8e6, maxEntryBytes: 65_536 },
    buffers: createBufferPool(),
    events: {
      ...createMetrics().events,
      spoolChanged: ({ bytes }) => void spooled.push(bytes),
      wrongContent: ({ upstream, kind }) => void wrong.push(`${upstream} ${kind}`),
    },
  });
  const { bytes, descriptor } = randomContent(size);
  const made = async (name: string) => {
    const double = await registryDouble();
    double.addBlob(repository, bytes);
    const upstream = createUpstream({ name, url: double.url, allowPrivateAddresses: true });
    const absent = new LRUCache<string, string>({ max: 10 });
    const blobs = new PullThrough({
      ...parts,
      upstream,
      members: new BlobMembership({ ...parts, upstream, absent }),
      near: { bytes: 8e6, ms: 2_000 },
      undeliverable: new Undeliverable({ withholdMs: 60_000, now: Date.now }),
      patienceMs: { first: 10_000, again: 500 },
    });
    const pulled = async (digest: Digest) => {
      const { hit, read } = await blobs.open(repository, digest);
      return { hit, ...(await readAll(read())) };
    };
    return { double, upstream, blobs, pulled };
  };
  const [good, other] = [await made('good.example'), await made('other.example')];
  t.teardown(async () => {
    await parts.fills.abort();
    for (const { upstream, double } of [good, other]) {
      await upstream.close();
      await double.close();
    }
    await parts.close();
  });
  return { parts, good, other, bytes, digest: descriptor.digest, wrong, spooled: () => spooled.at(-1) };
}

const troubles: Readonly<Record<string, Misbehaviours>> = {
  crawls: { bytesPerSecond: 1_000 },
  'falls silent': { stallsAfter: { bytes: 100_000, times: Number.POSITIVE_INFINITY } },
  lies: { servesWrongBytes: true, bytesPerSecond: 1_000_000 },
};

for (const [trouble, switches] of Object.entries(troubles)) {
  test(`an upstream that ${trouble} is nothing to those who pull the same digest from another`, async (t) => {
    const { good, other, bytes, digest } = await rig(t);
    Object.assign(other.double.switches, switches);
    await other.blobs.open(repository, digest);
    const { hit, bytes: got, error } = await good.pulled(digest);
    t.equal(error, undefined);
    t.equal(hit, 'fill', 'it is asked of its own upstream');
    t.ok(got.equals(bytes));
    t.equal(good.double.seen('GET').length, 1);
  });
}

test('an upstream that sends wrong bytes is counted by its name', async (t) => {
  const { parts, good, other, wrong, digest } = await rig(t);
  other.double.switches.servesWrongBytes = true;
  await t.rejects(other.pulled(digest).then(({ error }) => Promise.reject(error)));
  t.equal((await good.pulled(digest)).error, undefined);
  await parts.fills.settled();
  t.same([...new Set(wrong)], ['other.example blob']);
});

test('readers of one upstream still share one download', async (t) => {
  const { good, bytes, digest } = await rig(t);
  good.double.switches.bytesPerSecond = 20_000_000;
  const pulls = await Promise.all(Array.from({ length: 5 }, () => good.pulled(digest)));
  t.ok(pulls.every((pulled) => pulled.bytes.equals(bytes)));
  t.equal(good.double.seen('GET').length, 1);
});

test('what one upstream delivered whole is there for the other, once that has said that it has it', async (t) => {
  const { parts, good, other, bytes, digest } = await rig(t);
  await other.pulled(digest);
  await parts.fills.settled();
  t.match(await good.pulled(digest), { hit: 'store', bytes });
  t.same(
    good.double.requests.filter(({ path }) => path !== '/v2/').map(({ method }) => method),
    ['HEAD'],
  );
});

for (const [medium, make] of Object.entries(media)) {
  test(`two upstreams may deliver one digest at the same time: ${medium}`, async (t) => {
    const { parts, good, other, bytes, digest, spooled } = await rig(t, make);
    const areBothAsked = until(() => [good, other].every(({ double }) => double.requests.length > 0));
    for (const { double } of [good, other]) double.switches.holds = areBothAsked;
    const pulls = await Promise.all([good.pulled(digest), other.pulled(digest)]);
    t.ok(pulls.every((pulled) => pulled.hit === 'fill' && pulled.bytes.equals(bytes)));
    await parts.fills.settled();
    t.notOk(parts.isInUse(digest));
    t.equal(spooled(), 0, 'and the spool is empty');
    const content = await parts.store.open(digest);
    t.ok(content && (await readAll(content.body)).bytes.equals(bytes));
  });
}

test('a download that has ended is joined by no one, whatever its listener throws', async (t) => {
  const events = { ...createMetrics().events };
  const failures: unknown[] = [];
  events.storeFailed = ({ error }) => void failures.push(error);
  const store = createMemoryStore();
  const { bytes, descriptor } = randomContent(1_000);
  const upstream = 'quay.io';
  const downloads = createFills({
    spool: createSpool({
      directory: t.testdir(),
      maxBytes: 1e6,
      files: createTempFiles(t.testdirName),
      buffers: createBufferPool(),
      changed: () => undefined,
    }),
    store: store.blobs,
    events,
    stored: () => {
      throw new Error('the listener is broken');
    },
  });
  const origin = async () => ({ size: bytes.byteLength, body: bytesOf(bytes), close: () => undefined });
  const { fill } = downloads.joinOrStart({ ...descriptor, upstream, repository, origin });
  t.equal(await fill.settled, 'stored');
  await until(() => failures.length > 0, 'the failure');
  t.match(failures, [{ message: 'the listener is broken' }]);
  t.equal(downloads.find(upstream, descriptor.digest), undefined);
});

test('a membership that cannot be corrected after a download is an event, not the end of the process', async (t) => {
  const { parts, good, digest } = await rig(t);
  const failures: unknown[] = [];
  const members = new BlobMembership({ ...parts, upstream: good.upstream, absent: new LRUCache({ max: 1 }) });
  members.correct = async () => {
    throw new Error('no correction');
  };
  const blobs = new PullThrough({
    ...parts,
    upstream: good.upstream,
    members,
    near: { bytes: 8e6, ms: 2_000 },
    undeliverable: new Undeliverable({ withholdMs: 60_000, now: Date.now }),
    patienceMs: { first: 10_000, again: 500 },
    events: { storeFailed: ({ error }) => void failures.push(error) },
  });
  await readAll((await blobs.open(repository, digest)).read());
  await until(() => failures.length > 0, 'the failure');
  t.match(failures, [{ message: 'no correction' }]);
});
