import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { withTimeout } from '../../base/time/wait.ts';
import type { ConditionFinding, ConditionSource } from '../../conditions/condition.ts';
import { usualInertiaMs } from '../../conditions/condition.ts';
import type { Config } from '../../config/load.ts';
import type { KeptFiles } from '../../store/disk-tier/kept-files.ts';
import type { Store } from '../../store/store.ts';
import { bad, good } from './findings.ts';
import type { Signs } from './signs.ts';

const inertiaMs = usualInertiaMs;

/** How long the store alone is waited for, milliseconds. */
const storeMs = 4_000;

/**
 * Whether the store or an upstream can serve, as `/readyz` has it, but without its hurry: upstreams
 * are asked only where the store cannot be used.
 */
export function servingSource(
  store: Pick<Store, 'isUsable'>,
  canServe: () => Promise<boolean>,
): ConditionSource {
  return {
    kinds: [{ type: 'Serving', effect: 'serves', inertiaMs }],
    everyMs: 10_000,
    async look() {
      if ((await withTimeout(store.isUsable(), storeMs, () => false)) || (await canServe()))
        return [good('Ready', 'the store or an upstream can serve')];
      const message = 'neither the store nor an upstream can serve';
      return [{ status: 'False', reason: 'NothingCanServe', message }];
    },
  };
}

/** Settings that were changed and wait for a restart, or a changed file that was refused. */
export function settingsSource(
  pending: () => readonly [settings: readonly string[], refused?: string | undefined],
): ConditionSource {
  return {
    kinds: [{ type: 'ConfigurationApplied', effect: 'progresses', inertiaMs }],
    everyMs: 2_000,
    look() {
      const [settings, refused] = pending();
      if (refused !== undefined)
        return [{ status: 'False', reason: 'Refused', message: `the changed file is refused: ${refused}` }];
      if (settings.length === 0) return [good('Applied', 'all settings of the file are in force')];
      const message = `changed settings take effect only after a restart: ${settings.join(', ')}`;
      return [{ status: 'False', reason: 'RestartNeeded', message }];
    },
  };
}

/** The store's own check, and why it fails; `place`: where the store is, for messages. */
export function storeSource(
  store: Pick<Store, 'isUsable' | 'kind'>,
  place: string,
  signs: Pick<Signs, 'storeError'>,
): ConditionSource {
  return {
    kinds: [{ type: 'StoreUsable', effect: 'degrades', inertiaMs }],
    everyMs: 30_000,
    async look() {
      if (await store.isUsable())
        return [good('Usable', `a small file was written and read (${store.kind})`)];
      const message = `${place} cannot be used: pulls continue without it`;
      return [bad(message, signs.storeError, 'CheckFailed')];
    },
  };
}

/** Whether the disk before the bucket takes a small file; none without such a disk. */
export function diskSources(
  files: Pick<KeptFiles, 'isUsable'> | undefined,
  path: string | undefined,
  signs: Pick<Signs, 'diskError'>,
): readonly ConditionSource[] {
  if (files === undefined) return [];
  return [
    {
      kinds: [{ type: 'DiskUsable', effect: 'degrades', inertiaMs }],
      everyMs: 30_000,
      async look() {
        if (await files.isUsable()) return [good('Usable', 'a small file was written')];
        return [bad(`${path} cannot be written: pulls continue from S3`, signs.diskError, 'Unwritable')];
      },
    },
  ];
}

/** Whether files can be made in the spool, and whether there is room. */
export function spoolSource({ spool: { path, maxBytes } }: Config, signs: Signs): ConditionSource {
  const fullPercent = 95;
  return {
    kinds: [{ type: 'SpoolUsable', effect: 'degrades', inertiaMs }],
    everyMs: 5_000,
    look() {
      const { bytes, error } = signs.spool;
      if (error !== undefined)
        return [
          bad(`${path} cannot be written: downloads pass through and are not stored`, error, 'Unwritable'),
        ];
      const percent = Math.floor((100 * bytes) / maxBytes);
      if (percent < fullPercent)
        return [good('Usable', `less than ${fullPercent} % of the spool are in use`)];
      const message = `${percent} % of the spool are in use: further blobs pass through and are not stored`;
      return [{ status: 'False', reason: 'Full', message }];
    },
  };
}

/** An expiry nearer than this counts, milliseconds: renewal should have come long before. */
const expiryMs = 24 * 3_600_000;

/** Reads the files of `tls` as they are now. */
export type ReadKeyPair = (
  files: NonNullable<Config['tls']>,
) => Promise<{ readonly cert: Buffer; readonly key: Buffer }>;

interface CertificateOptions {
  readonly read: ReadKeyPair;
  /** Told of its end at each look, milliseconds since the epoch. */
  readonly told?: (notAfter: number) => void;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly wall?: () => number;
}

/** The certificate in the files of `tls`; none for plain HTTP. */
export function certificateSources(
  { tls }: Config,
  { read, told, wall = Date.now }: CertificateOptions,
): readonly ConditionSource[] {
  if (tls === undefined) return [];
  const files = tls;
  async function look(): Promise<readonly [ConditionFinding]> {
    try {
      const pair = await read(files);
      createSecureContext(pair);
      const certificate = new X509Certificate(pair.cert);
      told?.(Date.parse(certificate.validTo));
      return [validity(certificate, wall())];
    } catch (error) {
      return [bad('the certificate of tls cannot be used', error, 'Unusable')];
    }
  }
  return [{ kinds: [{ type: 'CertificateValid', effect: 'degrades', inertiaMs }], everyMs: 60_000, look }];
}

function validity({ validFrom, validTo }: X509Certificate, now: number): ConditionFinding {
  const message = `the certificate of tls is valid from ${validFrom} to ${validTo}`;
  if (Date.parse(validFrom) > now) return { status: 'False', reason: 'NotYetValid', message };
  const leftMs = Date.parse(validTo) - now;
  if (leftMs <= 0) return { status: 'False', reason: 'Expired', message };
  return leftMs < expiryMs ? { status: 'False', reason: 'ExpiresSoon', message } : good('Valid', message);
}

/** Other clocks may be wrong, or their answers late, milliseconds. */
const mostSkewMs = 60_000;

/** Our clock, by those of upstreams and of S3: half of them must differ by more than a minute. */
export function clockSource(signs: Signs, s3Skew: () => number | undefined): ConditionSource {
  return {
    kinds: [{ type: 'ClockInSync', effect: 'degrades', inertiaMs }],
    everyMs: 10_000,
    look() {
      const ofS3 = s3Skew();
      const skews = [...signs.skews.values(), ...(ofS3 === undefined ? [] : [ofS3])];
      const middle = skews.toSorted((a, b) => a - b)[Math.floor(skews.length / 2)];
      if (middle === undefined)
        return [{ status: 'Unknown', reason: 'NothingToCompare', message: 'no other clock is known yet' }];
      const words = `by ${skews.length} other clocks`;
      if (Math.abs(middle) <= mostSkewMs) return [good('InSync', `our clock is right to a minute, ${words}`)];
      const seconds = Math.round(Math.abs(middle) / 1000);
      const message = `our clock is ${seconds} s ${middle > 0 ? 'behind' : 'ahead'}, ${words}`;
      return [{ status: 'False', reason: 'ClockSkewed', message }];
    },
  };
}
