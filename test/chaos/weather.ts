import type { RegistryDouble } from '../support/registry-double.ts';
import type { Misbehaviours } from '../support/registry-misbehaviours.ts';
import type { S3Double } from '../support/s3-double.ts';
import type { Random } from './random.ts';

/** The upstream becomes bad in some way for some time, or well again. */
export function changeWeather(random: Random, { switches }: RegistryDouble, isLying: boolean): void {
  clearWeather(switches);
  if (random.isLucky(0.2)) return;
  if (isLying && random.isLucky(0.6)) Object.assign(switches, random.pick(lies));
  else Object.assign(switches, random.pick(troubles)(random));
  if (random.isLucky(0.3)) Object.assign(switches, random.pick(habits)(random));
  // A tag's manifest that comes without a digest cannot be told from another one.
  if (switches.servesWrongBytes === true) delete switches.omitsDigestHeader;
}

/** All is well. */
export function clearWeather(switches: Misbehaviours): void {
  for (const name of Object.keys(switches)) Reflect.deleteProperty(switches, name);
}

/** What S3 does for some time. */
export function changeS3Weather(random: Random, { switches }: S3Double): void {
  clearS3Weather(switches);
  if (random.isLucky(0.3)) return;
  Object.assign(switches, random.pick(s3Troubles)(random));
}

/** S3 is well. */
export function clearS3Weather(switches: S3Double['switches']): void {
  Object.assign(switches, {
    down: false,
    slowMs: 0,
    slowDown: 0,
    truncatesObjects: undefined,
    dropsAfter: undefined,
    losesObjects: false,
    errorOnComplete: false,
    errorOnPart: undefined,
    losesPutAnswers: 0,
  } satisfies Partial<S3Double['switches']>);
}

const troubles: readonly ((random: Random) => Misbehaviours)[] = [
  () => ({ down: true }),
  (random) => ({ dropsRequests: 1 + random.below(10) }),
  (random) => ({ delayMs: 1 + random.below(120) }),
  (random) => ({
    status: {
      of: random.pick(['manifests', 'blobs', 'everything'] as const),
      code: random.pick([429, 500, 502, 503]),
      times: 1 + random.below(20),
    },
  }),
  (random) => ({ throttles: 1 + random.below(10), ...(random.isLucky(0.5) ? { retryAfter: '0' } : {}) }),
  (random) => ({ dropsAfter: { bytes: random.below(300_000), times: 1 + random.below(30) } }),
  (random) => ({ stallsAfter: { bytes: random.below(300_000), times: 1 + random.below(4) } }),
  (random) => ({ bytesPerSecond: 500_000 + random.below(5_000_000) }),
];

const habits: readonly ((random: Random) => Misbehaviours)[] = [
  () => ({ redirectsBlobs: true }),
  () => ({ chunked: true }),
  () => ({ ignoresRange: true }),
  () => ({ omitsDigestHeader: true }),
  () => ({ omitsEtag: true }),
  (random) => ({ refusesBlobHead: random.pick([401, 403, 405] as const) }),
  () => ({ requiresToken: { expiresIn: 60 } }),
];

const lies: readonly Misbehaviours[] = [
  { servesWrongBytes: true },
  { servesWrongBytes: true, chunked: true },
  { liesAboutLength: true },
  { answersHtml: true },
];

const s3Troubles: readonly ((random: Random) => Partial<S3Double['switches']>)[] = [
  () => ({ down: true }),
  (random) => ({ slowMs: 1 + random.below(60) }),
  (random) => ({ slowDown: 1 + random.below(10) }),
  (random) => ({ truncatesObjects: random.below(200_000) }),
  (random) => ({ dropsAfter: random.below(200_000) }),
  () => ({ losesObjects: true }),
  () => ({ errorOnComplete: true }),
  () => ({ errorOnPart: 1 }),
  (random) => ({ losesPutAnswers: 1 + random.below(3) }),
];
