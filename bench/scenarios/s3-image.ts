import type { Lab } from '../lab.ts';
import type { PeerBucket } from '../peers/peers.ts';
import type { Findings, Scenario } from '../scenario.ts';
import type { S3Answer, S3Question } from '../servers/s3-process.ts';
import { worker } from '../servers/worker.ts';
import { wallTargets, warmPulls } from './warm-pulls.ts';

/** Warm images with S3 in place of the disk. */
export const s3Image: Scenario = {
  name: 's3-image',
  title: 'Warm image of 44 MB with S3 behind',
  run: (lab) => findings(lab, {}, 'All bytes come from S3, and through the server.'),
};

/** The same with a disk before S3, which the others do not have. */
export const s3DiskImage: Scenario = {
  name: 's3-disk-image',
  title: 'Warm image of 44 MB with S3 behind, and a disk before it for Quayside',
  run: (lab) => findings(lab, { hasDisk: true }, disk),
};

/** The same with TLS that the server ends: what `deploy/quayside-ci.yaml` says. */
export const s3DiskTlsImage: Scenario = {
  name: 's3-disk-tls',
  title: 'Warm image of 44 MB over TLS with S3 behind, and a disk before it for Quayside',
  isLong: true,
  run: (lab) => findings(lab, { hasDisk: true, isTls: true }, `${disk} The server ends TLS.`),
};

/** Bytes that clients get from S3, by a redirect. */
export const s3RedirectImage: Scenario = {
  name: 's3-redirect',
  title: 'Warm image of 44 MB with S3 behind, by redirects',
  isLong: true,
  run: (lab) =>
    findings(lab, { redirect: 'always' }, 'Clients follow a redirect for each blob; S3 sends its bytes.'),
};

const disk = 'Quayside has its `store.disk`; the others have no such thing.';

interface Variant {
  /** Default: never. */
  readonly redirect?: PeerBucket['redirect'];
  /** Default: no. */
  readonly hasDisk?: boolean;
  /** Default: no. */
  readonly isTls?: boolean;
}

async function findings(
  lab: Lab,
  { redirect = 'never', hasDisk = false, isTls = false }: Variant,
  note: string,
): Promise<Findings> {
  const s3 = worker<S3Question, S3Answer>(new URL('../servers/s3-process.ts', import.meta.url));
  try {
    const { endpoint } = await s3.ask('endpoint');
    const bucket = { endpoint, bucket: 'bench', redirect, hasDisk };
    const names = ['quayside', 'distribution', 'docker-registry'] as const;
    const measures = await warmPulls(lab, { clients: [1, 10], names, options: { s3: bucket, isTls } });
    return {
      measures,
      targets: wallTargets(measures),
      notes: [
        `${note} An S3 server of our own, in memory and in one process, on the same cores: it is slower than a real one under ten clients.`,
      ],
    };
  } finally {
    s3.close();
  }
}
