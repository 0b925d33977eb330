import { hostname } from 'node:os';
import type { Outage } from '../../base/state/outage.ts';
import { collected } from '../../oci/content.ts';
import { probeKey } from '../keys.ts';
import { S3Breaker } from './bucket/s3-breaker.ts';
import { createS3Bucket } from './bucket/s3-bucket.ts';
import { createS3Calls, type S3Calls, type S3ClientOptions } from './bucket/s3-client.ts';
import { objectBytes } from './s3-body.ts';
import type { BodyLimits } from './s3-records.ts';

interface S3Probe extends Pick<S3Calls, 'client'> {
  /** Whether S3 stores an object and delivers it again in good time. Never throws. */
  probe(): Promise<boolean>;
}

/** For all of it: a pull that meets the same S3 waits no longer, in milliseconds. */
const probeMs = 3_000;
const mostBytes = 1024 * 1024;

/**
 * Writes, reads and deletes an object, through connections of its own: those of the store may all
 * hang. The object is so large that an S3 which is too slow for pulls does not pass.
 */
export function createS3Probe(options: S3ClientOptions, limits: BodyLimits, outage: Outage): S3Probe {
  const alone = new S3Breaker({ probe: async () => false, failures: Number.POSITIVE_INFINITY });
  const calls = createS3Calls({ ...options, maxSockets: 2, retries: 0 }, alone);
  const bucket = createS3Bucket(calls);
  const key = probeKey(`${hostname()}-${process.pid}`);
  const object = Buffer.alloc(Math.min(mostBytes, 1 + 4 * limits.leastBytesPerSecond));
  let deletesVersions = true;

  /** Leaves nothing in a versioned bucket where the right to delete versions is there. */
  async function remove(versionId: string | undefined, signal: AbortSignal): Promise<void> {
    if (versionId !== undefined && deletesVersions)
      try {
        return await bucket.delete(key, { versionId, signal });
      } catch {
        deletesVersions = false;
      }
    await bucket.delete(key, { signal });
  }

  return {
    client: calls.client,
    async probe() {
      const signal = AbortSignal.timeout(probeMs);
      try {
        await bucket.put(key, object, { signal });
        const found = await bucket.get(key, { signal });
        if (found === undefined) throw new Error('S3 does not have the object that was just written');
        await collected(objectBytes(found.body, { ...limits, length: object.length, signal }), object.length);
        await remove(found.versionId, signal);
        outage.worked();
        return true;
      } catch (error) {
        outage.failed(error);
        return false;
      }
    },
  };
}
