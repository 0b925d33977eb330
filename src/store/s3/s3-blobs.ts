import { abortable } from '../../base/flow/abortable.ts';
import { Semaphore } from '../../base/flow/semaphore.ts';
import { createLru } from '../../base/state/lru.ts';
import { verified } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { lengthOf } from '../../oci/range.ts';
import { blobKey, blobsPrefix, parseBlobKey } from '../keys.ts';
import type { CachedBlobs } from '../store.ts';
import type { S3Breaker } from './bucket/s3-breaker.ts';
import type { Bucket, SignedUrl } from './bucket/s3-bucket.ts';
import type { Uploads } from './bucket/s3-uploads.ts';
import { objectBytes } from './s3-body.ts';
import { createS3Presence } from './s3-presence.ts';
import { partBytesOf, putInParts, putWhole } from './s3-put.ts';
import type { BodyLimits } from './s3-records.ts';

export interface S3BlobsOptions {
  /** Smallest part of a large blob, in bytes; smaller blobs are sent by one call. Default 8 MiB. */
  readonly partBytes?: number;
  /** Parts in memory, all uploads together: 8 MiB each unless blobs are huge. Default 8. */
  readonly maxConcurrentParts?: number;
  /** How long a redirect's URL works, in seconds. Default 600. */
  readonly redirectExpiresSeconds?: number;
  /** How many digests are known to be there without a question to S3. Default 200,000. */
  readonly presence?: number;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

interface S3Connections {
  readonly breaker: S3Breaker;
  readonly bucket: Bucket;
  /** The same bucket through other connections: those that clients hold while they read. */
  readonly readers: Bucket;
  readonly uploads: Uploads;
  /** The uploads of this process that are under way. */
  readonly running: Set<string>;
}

/** Always with a URL. */
export interface S3Blobs extends CachedBlobs {
  redirectUrl(digest: Digest): Promise<string>;
  knows(digest: Digest): boolean;
}

/** Blobs as objects, with few calls: none for a known blob, one to read it. */
export function s3Blobs(
  { breaker, bucket, readers, uploads, running }: S3Connections,
  options: S3BlobsOptions & BodyLimits,
): S3Blobs {
  const { partBytes: leastBytes = 8 * 1024 * 1024, redirectExpiresSeconds = 600 } = options;
  const { stallMs, leastBytesPerSecond, now = () => performance.now() } = options;
  const presence = createS3Presence(options.presence ?? 200_000, now);
  /** Room in memory for parts that wait to be sent, shared by all uploads. */
  const room = new Semaphore({ permits: options.maxConcurrentParts ?? 8 });
  const urls = createLru<Digest, SignedUrl>(10_000, { now });

  return {
    async stat(digest) {
      // What is known to be there cannot be had now.
      breaker.check();
      const size = await presence.size(digest, () => bucket.head(blobKey(digest)));
      return size === undefined ? undefined : { digest, size };
    },

    knows: (digest) => presence.knows(digest),

    learned: ({ digest, size }) => presence.learn(digest, size),

    async open(digest, reading = {}) {
      const known = presence.known(digest);
      const found = await readers.get(blobKey(digest), reading);
      if (found === undefined) {
        presence.missed(digest, known);
        return undefined;
      }
      presence.learn(digest, found.size);
      const { range, signal } = reading;
      const length = range === undefined ? found.size : lengthOf(range);
      return {
        descriptor: { digest, size: found.size },
        ...(range === undefined ? {} : { range }),
        body: objectBytes(found.body, {
          length,
          stallMs,
          leastBytesPerSecond,
          ended: (outcome) => (outcome === 'whole' ? breaker.delivered() : breaker.brokeOff(digest)),
          ...(signal === undefined ? {} : { signal }),
        }),
        close: async () => {
          found.body.destroy();
        },
      };
    },

    async put({ digest, size, mediaType = 'application/octet-stream' }, bytes, { signal } = {}) {
      const right = verified(abortable(bytes, signal), { digest, size });
      const partBytes = partBytesOf(size, leastBytes);
      const target = {
        key: blobKey(digest),
        size,
        contentType: mediaType,
        partBytes,
        ...(signal === undefined ? {} : { signal }),
      };
      if (size <= partBytes) await putWhole(bucket, room, right, target);
      else await putInParts(uploads, room, right, target, running);
      presence.learn(digest, size);
    },

    async delete(digest) {
      await bucket.delete(blobKey(digest));
      presence.forget(digest);
    },

    async *list({ after, ...listing } = {}) {
      const from = after === undefined ? {} : { after: blobKey(after) };
      for await (const { key, size, writtenAt } of bucket.list(blobsPrefix, { ...listing, ...from })) {
        const digest = parseBlobKey(key);
        if (digest === undefined) continue;
        presence.learn(digest, size);
        yield { digest, size, storedAt: writtenAt };
      }
    },

    async redirectUrl(digest) {
      const held = urls.get(digest);
      if (held?.isInTime()) return held.url;
      const signed = await bucket.signedUrl(blobKey(digest), redirectExpiresSeconds);
      urls.set(digest, signed, { ttl: Math.max(1, Math.floor(signed.validMs / 2)) });
      return signed.url;
    },
  };
}
