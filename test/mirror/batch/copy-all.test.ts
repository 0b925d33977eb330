import { test } from 'tap';
import { copyImages } from '../../../src/mirror/batch/copy-all.ts';
import type { CopyError } from '../../../src/mirror/failure.ts';
import type { ImageCopy } from '../../../src/mirror/images/image-copy.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { seeded } from '../../chaos/random.ts';
import { until } from '../../support/bodies.ts';
import { app, quickRun } from '../../support/copy-rig.ts';
import { type MemoryEnd, memoryEnd } from '../../support/memory-ends.ts';
import { plainImage, textBlob } from '../../support/memory-images.ts';

const base = textBlob('base', 10_000);
const throttled = new RegistryError('TOOMANYREQUESTS', 'the upstream throttles requests');

/** `count` images over one base layer, all in `team/app` of the source. */
function images(source: MemoryEnd, destination: MemoryEnd, count: number): ImageCopy[] {
  return Array.from({ length: count }, (_, number) => {
    const tag = parseTag(`v${number}`);
    source.hold(app, plainImage(`${number}`, [base, textBlob(`layer ${number}`)]), tag);
    const from = { repository: app, reference: { tag } };
    return { source, from, destination, to: { repository: app, tag } };
  });
}

test('many images over one base send it once', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const run = quickRun();
  t.same(await copyImages(images(source, destination, 50), run), []);
  t.equal(destination.contents(app).tags.size, 50);
  t.match(source.counts(), { 'open-blob': 101 });
  t.match(run.report(), {
    images: { copied: 50, unchanged: 0, failed: 0 },
    blobs: { copied: 101, failed: 0 },
    bytes: destination.bytesReceived(),
    failures: [],
  });
});

test('a base that is under way to another repository is waited for, and mounted', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const copies = images(source, destination, 20).map((image, number) => ({
    ...image,
    to: { repository: parseRepository(`team/app-${number}`), tag: parseTag('latest') },
  }));
  const run = quickRun();
  await copyImages(copies, run);
  t.match(run.report(), { images: { copied: 20 }, blobs: { copied: 41, mounted: 19 } });
});

test('a second run over unchanged images costs two requests an image', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const copies = images(source, destination, 20);
  await copyImages(copies, quickRun());
  const before = source.calls.length + destination.calls.length;
  const run = quickRun();
  await copyImages(copies, run);
  t.equal(source.calls.length + destination.calls.length - before, 40);
  t.match(run.report(), { images: { unchanged: 20, copied: 0 }, bytes: 0 });
});

test('one bad image does not keep the others from arriving', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const copies = images(source, destination, 10);
  source.contents(app).blobs.delete(textBlob('layer 3').descriptor.digest);
  const run = quickRun();
  t.same(await copyImages(copies, run, { continueOnError: true }), []);
  t.equal(destination.contents(app).tags.size, 9);
  t.match(run.report().failures, [
    { source: 'a.example/team/app:v3', destination: 'b.example/team/app:v3', kind: 'blob-unknown' },
  ]);
  t.match(run.report(), { images: { copied: 9, failed: 1 }, blobs: { failed: 1 } });
});

test('without continueOnError no image is begun after a failure', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const copies = images(source, destination, 10);
  source.contents(app).tags.delete(parseTag('v2'));
  const run = quickRun();
  const left = await copyImages(copies, run, { maxImages: 1 });
  t.same(left, copies.slice(3));
  t.match(run.report(), { images: { copied: 2, failed: 1 } });
});

test('sources are all asked first where that is wished, and a failure there leaves everything as it is', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const copies = images(source, destination, 10);
  const again = await copyImages(copies.slice(0, 1), quickRun(), { looksFirst: true });
  t.same(again, []);
  t.equal(source.counts()['head-manifest'], 1, 'and not asked again');
  for (const gone of ['v3', 'v7']) source.contents(app).tags.delete(parseTag(gone));
  const run = quickRun();
  const left = await copyImages(copies, run, { looksFirst: true });
  t.equal(left.length, 8);
  t.match(run.report(), { images: { copied: 0, failed: 2 } });
  t.equal(destination.contents(app).tags.size, 1);
  const onward = quickRun();
  const isGone = ({ kind }: CopyError) => kind === 'source-gone';
  t.same(await copyImages(copies, onward, { looksFirst: true, continueOnError: isGone }), []);
  t.match(onward.report(), { images: { copied: 7, unchanged: 1, failed: 2 } });
});

test('a Retry-After of minutes is waited for between two tries of an image, and a longer one is not', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const waits: number[] = [];
  const askedFor = [0.01, 301];
  destination.misbehaviours.fails = ({ verb }) => {
    const retryAfterSeconds = verb === 'put-manifest' ? askedFor.shift() : undefined;
    return retryAfterSeconds === undefined
      ? undefined
      : new RegistryError('TOOMANYREQUESTS', 'wait', { retryAfterSeconds });
  };
  const run = quickRun({ events: { retried: ({ waitMs }) => waits.push(waitMs) } });
  await copyImages(images(source, destination, 1), run);
  t.same(waits, [10]);
  t.match(run.report().failures, [{ kind: 'throttled', reason: /throttled until/ }]);
});

test('an image that fails in passing is tried again, and sends only what is missing', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  let refusals = 2;
  destination.misbehaviours.fails = ({ verb }) =>
    verb === 'put-manifest' && refusals-- > 0 ? throttled : undefined;
  const run = quickRun();
  await copyImages(images(source, destination, 1), run);
  t.match(destination.counts(), { 'put-blob': 3, 'put-manifest': 3 });
  t.match(run.report(), { images: { copied: 1, failed: 0 } });
});

test('a lasting failure is not retried while a client waits', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const spent = new RegistryError('UNAVAILABLE', 'it was sent four times', { retry: 'later' });
  destination.misbehaviours.fails = ({ verb }) => (verb === 'put-blob' ? spent : undefined);
  const run = quickRun();
  await copyImages(images(source, destination, 1), run);
  t.match(destination.counts(), { 'put-blob': 3 });
  t.match(run.report().failures, [{ kind: 'unavailable' }]);
});

test('a blob that failed and then arrived did not fail', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  let refusals = 1;
  destination.misbehaviours.fails = ({ verb }) =>
    verb === 'put-blob' && refusals-- > 0 ? throttled : undefined;
  const run = quickRun();
  await copyImages(images(source, destination, 1), run);
  t.match(run.report(), { images: { copied: 1, failed: 0 }, blobs: { copied: 3, failed: 0 } });
});

test('all arrive while a registry throttles three requests of ten', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const random = seeded(7);
  const sometimes = (): Error | undefined => (random.isLucky(0.3) ? throttled : undefined);
  source.misbehaviours.fails = sometimes;
  destination.misbehaviours.fails = sometimes;
  const run = quickRun();
  const copies = images(source, destination, 40);
  await copyImages(copies, run, { continueOnError: true, tries: 100 });
  t.match(run.report(), { images: { copied: 40, failed: 0 } });
});

test('a registry that does not answer holds up its own images only', async (t) => {
  const [slow, quick, destination] = [memoryEnd('a.example'), memoryEnd('b.example'), memoryEnd('c.example')];
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  slow.misbehaviours.delay = () => answered;
  const other = parseRepository('team/slow');
  const stuck = images(slow, destination, 20).map((image) => ({
    ...image,
    to: { ...image.to, repository: other },
  }));
  const run = quickRun();
  const copying = copyImages([...stuck, ...images(quick, destination, 20)], run);
  await until(() => destination.contents(app).tags.size === 20);
  t.equal(destination.contents(other).tags.size, 0);
  answer();
  await copying;
  t.equal(destination.contents(other).tags.size, 20);
});

test('images and their blobs overlap within the limits', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  let [now, most] = [0, 0];
  destination.misbehaviours.delay = async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise(setImmediate);
    now -= 1;
  };
  await copyImages(images(source, destination, 30), quickRun({ maxPerRoute: 4 }), { maxImages: 8 });
  t.equal(most, 4);
});

test('an aborted run says which images are left', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const copies = images(source, destination, 10);
  const stopping = new AbortController();
  const run = quickRun({ signal: stopping.signal });
  run.events.imageEnded = () => stopping.abort();
  const left = await copyImages(copies, run, { maxImages: 1 });
  t.same(left, copies.slice(1));
  t.match(run.report(), { images: { copied: 1, failed: 0 } });
});

test('what a run does is told as it happens', async (t) => {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const told: string[] = [];
  const run = quickRun({
    events: {
      uploadStarted: () => told.push('upload'),
      blobEnded: ({ outcome }) => told.push(outcome),
      manifestPut: ({ reference }) => told.push(reference),
      imageEnded: ({ copied }) => told.push(copied?.outcome ?? 'failed'),
    },
  });
  await copyImages(images(source, destination, 1), run);
  t.equal(told[0], 'upload');
  t.same(told.filter((word) => word === 'upload').length, 3);
  t.same(told.slice(-3), ['copied', 'v0', 'copied']);
});
