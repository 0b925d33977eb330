import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { builtBefore } from '../../test/e2e/go-programs.ts';
import { type Copier, quaysideMirror, skopeoCopy } from '../mirror/copiers.ts';
import { withEmptyRegistry } from '../mirror/destination.ts';
import { bytesOf, type ImageSet, pushedImages } from '../mirror/images.ts';
import {
  counted,
  type Place,
  type Refused,
  refused,
  type Times,
  type Traffic,
  timed,
} from '../mirror/rounds.ts';
import type { Findings, Measure, Scenario, Target } from '../scenario.ts';
import { findProgram } from '../servers/programs.ts';
import { against, type Contender, inTurn, measured, medians, type Samples } from '../statistics.ts';

/** 2 GB in all. */
const full: ImageSet = { count: 200, layers: { shared: 12e6, family: 8e6, own: 9.5e6 } };
/** 190 MB. */
const short: ImageSet = { count: 40, layers: { shared: 12e6, family: 8e6, own: 2.5e6 } };
/** How many of the images are copied from and to registries that refuse. */
const refusedImages = { full: 20, short: 5 } as const;
const refusedShare = 0.3;

/** What it costs to copy many images that share layers, to look again later, and to be refused. */
export const mirror: Scenario = {
  name: 'mirror',
  title: 'Mirroring from registry to registry',
  async run(lab) {
    const registry = builtBefore('distribution') ?? findProgram('docker-registry');
    if (registry === undefined) throw new Error('neither distribution 3 nor docker-registry is here');
    const directory = join(lab.directory, 'mirror');
    await mkdir(directory);
    const set = lab.form.isSmall ? short : full;
    return withEmptyRegistry(lab, registry, 'mirror-source', async ({ origin, pid }) => {
      lab.say(`generating and pushing ${set.count} images, ${Math.round(bytesOf(set) / 1e6)} MB`);
      const images = await pushedImages(origin, set);
      return found({ lab, registry, source: origin, sourcePid: pid, images, set }, copiersIn(directory));
    });
  },
};

interface Samplings {
  readonly times: Samples<Times>;
  readonly traffic: Samples<Traffic>;
  readonly refusals: Samples<Refused>;
}

async function found(place: Place, copiers: readonly Copier[]): Promise<Findings> {
  const { lab, images } = place;
  const few = { ...place, images: images.slice(0, refusedImages[lab.form.isSmall ? 'short' : 'full']) };
  const quick = copiers.filter(({ name }) => name !== 'skopeo');
  const samplings = {
    times: await inTurn(
      lab.form.rounds(2, 5),
      each(copiers, (copier) => timed(place, copier)),
    ),
    traffic: await inTurn(
      1,
      each(quick, (copier) => counted(place, copier)),
    ),
    refusals: await inTurn(
      1,
      each(quick, (copier) => refused(few, copier, refusedShare)),
    ),
  };
  const measures = measuresOf(samplings, few.images.length);
  return {
    measures: Object.values(measures),
    targets: targetsOf(measures, bytesOf(place.set), few.images.length),
    notes: [
      `${images.length} images of ${Math.round(bytesOf(place.set) / 1e6)} MB in all: one layer is shared by all, one by a family, one is an image’s own.`,
      'skopeo copy --all --preserve-digests: without the second flag it would compress layers, and others would arrive.',
      'Both registries, the counters and the copier share this machine’s cores; a registry takes in no faster than it hashes. On two cores no copier needs less than half of the registries’ processor time.',
    ],
  };
}

function copiersIn(directory: string): readonly Copier[] {
  const skopeo = findProgram('skopeo');
  const others = (['skopeo × 6', 'skopeo'] as const).map((name) => skopeoCopy(skopeo ?? '', name, directory));
  return [quaysideMirror(directory), ...(skopeo === undefined ? [] : others)];
}

function each<Sample>(
  copiers: readonly Copier[],
  measure: (copier: Copier) => Promise<Sample>,
): readonly Contender<Sample>[] {
  return copiers.map((copier) => ({ name: copier.name, measure: () => measure(copier) }));
}

type Measures = Readonly<
  Record<'first' | 'registries' | 'second' | 'megabytes' | 'requests' | 'arrived' | 'seconds', Measure>
>;

function measuresOf({ times, traffic, refusals }: Samplings, few: number): Measures {
  const troubled = `${few} images, ${refusedShare * 100} % of requests refused`;
  return {
    first: measured('into an empty registry', 's', times, ({ first }) => first),
    registries: measured(
      'into an empty registry: processor time of both registries',
      's',
      times,
      ({ registries }) => registries,
    ),
    second: measured('nothing new', 's', times, ({ second }) => second),
    megabytes: {
      what: 'into an empty registry: crossed both wires',
      unit: 'MB',
      values: medians(traffic, ({ bytes }) => bytes / 1e6),
    },
    requests: {
      what: 'nothing new: requests per image, both sides',
      unit: 'requests',
      values: medians(traffic, ({ requests }) => requests),
    },
    arrived: {
      what: `${troubled}: arrived`,
      unit: 'images',
      values: medians(refusals, ({ arrived }) => arrived),
    },
    seconds: { what: troubled, unit: 's', values: medians(refusals, ({ seconds }) => seconds) },
  };
}

function targetsOf(measures: Measures, allBytes: number, few: number): readonly Target[] {
  const { first, second, megabytes, requests, arrived } = measures;
  const sent = megabytes.values.quayside;
  const others = megabytes.values['skopeo × 6'];
  const atMost = (what: string, value: number | undefined, bound: number, unit: Target['unit']): Target => ({
    ...{ what, value, bound, unit },
    sense: 'at most',
  });
  return [
    against(first, 'skopeo × 6', {
      what: 'into an empty registry: time × skopeo’s, 6 at a time',
      sense: 'at most',
      bound: 0.5,
    }),
    atMost('into an empty registry: MB that crossed, as many as skopeo’s', sent, others ?? 0, 'MB'),
    atMost('and × twice all blobs', sent && (sent * 1e6) / (2 * allBytes), 1.02, '×'),
    against(second, 'skopeo × 6', {
      what: 'nothing new: time × skopeo’s, 6 at a time',
      sense: 'at most',
      bound: 0.1,
    }),
    against(second, 'skopeo', {
      what: 'nothing new: time × skopeo’s, one by one',
      sense: 'at most',
      bound: 0.1,
    }),
    atMost('nothing new: requests per image', requests.values.quayside, 2, 'requests'),
    {
      what: `30 % of requests refused: images that arrived of ${few}`,
      value: arrived.values.quayside,
      sense: 'at least',
      bound: few,
      unit: 'images',
    },
  ];
}
