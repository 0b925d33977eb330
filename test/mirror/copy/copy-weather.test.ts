import { test } from 'tap';
import { copyImages } from '../../../src/mirror/batch/copy-all.ts';
import type { ImageCopy } from '../../../src/mirror/images/image-copy.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRepository, parseTag, type Repository } from '../../../src/oci/reference.ts';
import { type Random, seeded } from '../../chaos/random.ts';
import { app, latest, quickRun } from '../../support/copy-rig.ts';
import { isWhole, type MemoryEnd, type Misbehaviours, memoryEnd } from '../../support/memory-ends.ts';
import { indexImage, type MemoryImage, plainImage, textBlob } from '../../support/memory-images.ts';

const repositories = [app, parseRepository('team/other'), parseRepository('third')];
const layers = Array.from({ length: 8 }, (_, number) => textBlob(`layer ${number}`, 100 + number));

interface World {
  readonly source: MemoryEnd;
  readonly destination: MemoryEnd;
  readonly images: readonly { readonly held: MemoryImage; readonly copy: ImageCopy }[];
}

function randomImage(random: Random, seed: string, depth = 0): MemoryImage {
  if (depth < 3 && random.isLucky(0.4)) {
    const children = Array.from({ length: 1 + random.below(3) }, (_, number) =>
      randomImage(random, `${seed}.${number}`, depth + 1),
    );
    return indexImage(children.map((child) => ['linux/amd64', child] as const));
  }
  const used = layers.filter(() => random.isLucky(0.4));
  return plainImage(random.isLucky(0.2) ? 'shared' : seed, used, { docker: random.isLucky(0.3) });
}

function world(random: Random): World {
  const [source, destination] = [memoryEnd('a.example'), memoryEnd('b.example')];
  const images = Array.from({ length: 8 }, (_, number) => {
    const held = randomImage(random, `${number}`);
    const tag = parseTag(`v${number}`);
    source.hold(app, held, tag);
    const from = { repository: app, reference: { tag } };
    return { held, copy: { source, from, destination, to: { repository: random.pick(repositories), tag } } };
  });
  return { source, destination, images };
}

/**
 * Refusals, lies and cuts; and, half the time, a destination that does not look at what it is
 * given.
 */
function storm({ source, destination }: World, random: Random): void {
  const likelihood = random.next() * 0.3;
  const refusals = [
    new RegistryError('TOOMANYREQUESTS', 'slow down', { retryAfterSeconds: 0 }),
    new RegistryError('UNAVAILABLE', 'the upstream answers with status 500'),
    new RegistryError('DENIED', 'the upstream refuses access'),
    new Error('an unforeseen failure'),
  ];
  const fails = () => (random.isLucky(likelihood) ? random.pick(refusals) : undefined);
  const delay = () => new Promise<void>((resolve) => setImmediate(resolve));
  Object.assign(source.misbehaviours, {
    fails,
    delay,
    ...(random.isLucky(0.3) ? { cutsDownloadsAfter: 103 } : {}),
  } satisfies Misbehaviours);
  Object.assign(destination.misbehaviours, {
    fails,
    lies201: new Set(layers.filter(() => random.isLucky(0.2)).map(({ descriptor }) => descriptor.digest)),
    takesPartialManifests: random.isLucky(0.5),
    refusesMounts: random.isLucky(0.5),
    ...(random.isLucky(0.3) ? { cutsUploadsAfter: 50 } : {}),
  } satisfies Misbehaviours);
  if (random.isLucky(0.3)) source.contents(app).blobs.delete(random.pick(layers).descriptor.digest);
}

function calm({ source, destination, images }: World): void {
  for (const end of [source, destination]) {
    for (const key of Object.keys(end.misbehaviours)) Reflect.deleteProperty(end.misbehaviours, key);
    end.calls.length = 0;
  }
  for (const { held } of images) source.hold(app, held);
}

/** Everything that the destination is to have in the end, and does not have. */
function missing({ destination, images }: World): { blobs: number; manifests: number } {
  const wanted = new Map<Repository, { blobs: Set<Digest>; manifests: Set<Digest>; tags: number }>();
  for (const { held, copy } of images) {
    const { tag = latest } = copy.to;
    const there = destination.contents(copy.to.repository);
    const entry = wanted.get(copy.to.repository) ?? { blobs: new Set(), manifests: new Set(), tags: 0 };
    wanted.set(copy.to.repository, entry);
    if (there.tags.get(tag) === held.root.descriptor.digest) continue;
    entry.tags += 1;
    for (const digest of held.blobs.keys()) if (!there.blobs.has(digest)) entry.blobs.add(digest);
    for (const { descriptor } of held.manifests.slice(0, -1)) {
      if (!there.manifests.has(descriptor.digest)) entry.manifests.add(descriptor.digest);
    }
  }
  const entries = [...wanted.values()];
  return {
    blobs: entries.reduce((sum, { blobs }) => sum + blobs.size, 0),
    manifests: entries.reduce((sum, { manifests, tags }) => sum + manifests.size + tags, 0),
  };
}

function brokenImages({ destination }: World): string[] {
  return repositories.flatMap((repository) => {
    const there = destination.contents(repository);
    const partial = [...there.manifests.values()].filter((manifest) => !isWhole(there, manifest));
    const dangling = [...there.tags].filter(([, digest]) => !there.manifests.has(digest));
    return [...partial.map(({ descriptor }) => descriptor.digest), ...dangling.map(([tag]) => tag)];
  });
}

/** Copies in a storm, which may also end the run at any call. Resolves to what must not be. */
async function stormy(scene: World, random: Random): Promise<string[]> {
  storm(scene, random);
  const { destination, images } = scene;
  const stopping = new AbortController();
  const stopAfter = random.isLucky(0.3) ? random.below(100) : Number.POSITIVE_INFINITY;
  const { fails } = destination.misbehaviours;
  destination.misbehaviours.fails = (call) => {
    if (destination.calls.length > stopAfter) stopping.abort();
    return fails?.(call);
  };
  const run = quickRun({ signal: stopping.signal });
  const copies = images.map(({ copy }) => copy);
  const left = await copyImages(copies, run, { continueOnError: random.isLucky(0.7), tries: 2 });
  const { copied, unchanged, filtered, failed } = run.report().images;
  const counted = copied + unchanged + filtered + failed + left.length;
  const arrived = repositories.reduce((sum, name) => sum + destination.contents(name).tags.size, 0);
  return [
    ...brokenImages(scene).map((reference) => `${reference} is not whole`),
    ...(counted === copies.length ? [] : [`${counted} images are accounted for`]),
    ...(arrived < copied ? [`${copied} images are reported, ${arrived} are there`] : []),
  ];
}

/** Copies once more, undisturbed: what is missing, each part once. */
async function repaired(scene: World): Promise<string[]> {
  calm(scene);
  const rest = missing(scene);
  const run = quickRun();
  await copyImages(
    scene.images.map(({ copy }) => copy),
    run,
  );
  const { copied, mounted } = run.report().blobs;
  const puts = scene.destination.counts()['put-manifest'] ?? 0;
  return [
    ...(copied + mounted === rest.blobs ? [] : [`${copied + mounted} blobs for ${rest.blobs} missing`]),
    ...(puts <= rest.manifests ? [] : [`${puts} manifests for ${rest.manifests} missing`]),
    ...(missing(scene).manifests === 0 ? [] : ['images are still missing']),
  ];
}

/** And once more: two requests an image. */
async function idle(scene: World): Promise<string[]> {
  calm(scene);
  const copies = scene.images.map(({ copy }) => copy);
  await copyImages(copies, quickRun());
  const asked = scene.source.calls.length + scene.destination.calls.length;
  return asked === 2 * copies.length ? [] : [`${asked} requests for ${copies.length} unchanged images`];
}

test('whatever happens, only whole images arrive, and the next run does what is missing', async (t) => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const random = seeded(seed);
    const scene = world(random);
    t.same(
      { storm: await stormy(scene, random), repair: await repaired(scene), idle: await idle(scene) },
      { storm: [], repair: [], idle: [] },
      `seed ${seed}`,
    );
  }
});
