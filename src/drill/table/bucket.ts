import type { HttpFault } from '../fronts/faults.ts';
import type { DrillStand } from '../stand/stand.ts';
import { type DrillRow, frontFault, isBlobRead } from './front-fault.ts';
import type { Drill } from './table.ts';

/** As S3 words it ("Error responses" of its API reference). */
const refuses = (status: number, code: string): HttpFault => ({
  kind: 'status',
  answer: {
    status,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>drill</Message></Error>`,
  },
});

const lacks = ({ bucket }: DrillStand): string | undefined =>
  bucket === undefined ? 'no S3 server: --versitygw names the program' : undefined;

function bucketDrill(name: string, fault: string, trouble: HttpFault, row: DrillRow): Drill {
  return {
    name: `s3-${name}`,
    layer: 's3',
    fault,
    lacks,
    async start({ bucket }) {
      if (bucket === undefined) throw new Error('there is no bucket');
      return frontFault(bucket.front, trouble);
    },
    ...row,
  };
}

const unled = ['QuaysideMirrorLease', 'QuaysideMirrorWithoutLeader'];
const failing = ['QuaysideStoreUnusable', 'QuaysideStoreFailing'];
const unusable = { conditions: ['StoreUsable'], alerts: failing };
/** The mirror has its lease in the bucket. */
const gone = {
  ...unusable,
  alerts: [...failing, 'QuaysideDegraded', 'QuaysideFillsNotKept', ...unled],
};
const corrupt = { conditions: [], alerts: ['QuaysideStoreCorrupt'] };
const mostWarmMs = 2_000;

/** What S3 does to those who store there. The upstream is well: no pull may fail. */
export const bucketDrills: readonly Drill[] = [
  bucketDrill('dead', 'S3 resets every connection', { kind: 'dead' }, { ...gone, mostWarmMs }),
  bucketDrill(
    'silent',
    'S3 accepts connections, and answers nothing',
    { kind: 'silent' },
    { ...unusable, mostWarmMs, isShort: true },
  ),
  bucketDrill(
    'slow',
    'S3 answers after 1 s, and sends 100 kB/s',
    { kind: 'slow', headMs: 1_000, bytesPerSecond: 100_000 },
    { conditions: [], alerts: [] },
  ),
  bucketDrill('slowdown', 'S3 answers 503 SlowDown', refuses(503, 'SlowDown'), {
    conditions: [],
    alerts: ['QuaysideS3Throttled'],
  }),
  bucketDrill('403', 'S3 answers 403 AccessDenied', refuses(403, 'AccessDenied'), unusable),
  bucketDrill('no-bucket', 'S3 answers 404 NoSuchBucket', refuses(404, 'NoSuchBucket'), {
    conditions: ['StorageExists'],
    alerts: ['QuaysideBucketMissing'],
  }),
  bucketDrill(
    'truncated',
    'objects of S3 end at half of their bytes',
    { kind: 'truncated', meets: isBlobRead },
    corrupt,
  ),
  bucketDrill(
    'garbled',
    'objects of S3 come with wrong bytes',
    { kind: 'garbled', meets: isBlobRead },
    // Three wrong objects open the breaker, after which none is repaired that an alert could count.
    { conditions: [], alerts: ['QuaysideStoreFailing'], isShort: true },
  ),
  {
    name: 's3-and-registries-dead',
    layer: 's3',
    fault: 'S3 and both registries reset every connection',
    lacks,
    async start({ bucket, upstream, copies }) {
      if (bucket === undefined) throw new Error('there is no bucket');
      const forces = [bucket.front, upstream, copies].map((front) => frontFault(front, { kind: 'dead' }));
      return {
        end: () => {
          for (const { end } of forces) end();
        },
        met: () => Math.min(...forces.slice(0, 2).map(({ met }) => met())),
      };
    },
    excuses: 'all',
    conditions: ['Serving'],
    alerts: ['QuaysideNotAvailable', 'QuaysideNotServing'],
  },
];
