import { collected } from '../../oci/content.ts';
import { checkedKey } from '../keys.ts';
import type { Records } from '../records.ts';
import type { Bucket } from './bucket/s3-bucket.ts';
import { type ObjectBytesOptions, objectBytes } from './s3-body.ts';

/** Larger records are refused; those that keys.ts draws are kilobytes. */
const maxRecordBytes = 64 * 1024 * 1024;

/** How long a body may take. */
export type BodyLimits = Pick<ObjectBytesOptions, 'stallMs' | 'leastBytesPerSecond'>;

/** One object per record, its version the ETag; S3's conditional writes. */
export function createS3Records(bucket: Bucket, limits: BodyLimits): Records {
  return {
    async get(key) {
      const found = await bucket.get(checkedKey(key));
      if (found === undefined) return undefined;
      const { body, size, etag } = found;
      return {
        bytes: await collected(objectBytes(body, { ...limits, length: size }), maxRecordBytes),
        version: etag,
      };
    },
    put: (key, bytes, { ifVersion } = {}) =>
      bucket.put(checkedKey(key), bytes, ifVersion === undefined ? {} : { ifVersion }),
    delete: (key) => bucket.delete(checkedKey(key)),
    list: (prefix, options) => bucket.list(prefix, options),
  };
}
