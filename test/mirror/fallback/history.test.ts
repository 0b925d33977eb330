import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes, parseManifest } from '../../../src/oci/manifest.ts';
import { parseTag } from '../../../src/oci/reference.ts';
import { readAll } from '../../support/bodies.ts';
import { type MissCache, type MissRig, missRig } from '../../support/miss-rig.ts';
import type { DoubleImage } from '../../support/registry-contents.ts';

const tag = parseTag('ocp_4.5_base');

interface Held {
  readonly image: DoubleImage;
  readonly layers: readonly number[];
}

/** What the registries have under the tag. */
interface World {
  qci?: Held | undefined;
  source?: Held | undefined;
}

const acts: Readonly<Record<string, (rig: MissRig, world: World, step: number) => void>> = {
  'the source changes'({ doubles }, world, step) {
    const layers = [100 + step, 70_000];
    world.source = { layers, image: doubles.source.addImage('ocp/4.5', 'base', { layers }) };
  },
  'the source loses it'({ doubles }, world) {
    doubles.source.removeTag('ocp/4.5', 'base');
    world.source = undefined;
  },
  'the copy arrives'({ doubles }, world) {
    if (world.source === undefined) return;
    // Content depends on the tag's name: it is made under the source's, and tagged as the copy is.
    const { manifest } = doubles.qci.addImage('openshift/ci', 'base', world.source);
    doubles.qci.addManifest('openshift/ci', manifest, mediaTypes.ociManifest, tag);
    world.qci = world.source;
  },
  'a promotion comes'({ doubles }, world, step) {
    const layers = [200 + step];
    world.qci = { layers, image: doubles.qci.addImage('openshift/ci', tag, { layers }) };
  },
  'QCI loses it'({ doubles }, world) {
    doubles.qci.removeTag('openshift/ci', tag);
    world.qci = undefined;
  },
  'nothing happens'() {},
};

/** The digest that a pull of the whole image gets, once every blob of it proved right. */
async function pulled({ qci }: MissCache, { repository }: MissRig): Promise<string> {
  try {
    const { descriptor, bytes } = await qci.manifests.resolve(repository, { tag });
    for (const { digest } of parseManifest(bytes, descriptor.mediaType).blobs) {
      const blob = await qci.blobs.open(repository, digest);
      if (digestOf((await readAll(blob.read())).bytes) !== digest) return `${digest} is wrong`;
    }
    return descriptor.digest;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

/** A generator of its own, so that a failure can be played again. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

for (const seed of [1, 2, 3])
  test(`whatever happens to a tag, a pull gets what QCI has, else what the source has (${seed})`, async (t) => {
    const rig = await missRig(t, { absentMs: 1_000, questionsPerSecond: 1_000 });
    const world: World = {};
    const names = Object.keys(acts);
    const pick = chance(seed);
    let cache: MissCache = rig;
    for (let step = 0; step < 60; step += 1) {
      const name = names[pick(names.length)] ?? '';
      acts[name]?.(rig, world, step);
      rig.pass(60_000);
      if (pick(10) === 0) cache = await rig.restarted();
      const expected = (world.qci ?? world.source)?.image.digest ?? 'MANIFEST_UNKNOWN';
      const got = await pulled(cache, rig);
      t.equal(got, expected, `step ${step}, ${name}`);
      if (got !== expected) break;
    }
  });
