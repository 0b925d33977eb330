import { test } from 'tap';
import { type ErrorCode, RegistryError } from '../../../src/oci/errors.ts';
import { refusalFor, type WantedContent } from '../../../src/proxy/pull/next-mirror.ts';

/** What the cache throws, and what becomes of it: a code, and the seconds of `Retry-After`. */
const table: readonly (readonly [WantedContent, ErrorCode, ErrorCode, number?])[] = [
  ['manifest', 'UNAVAILABLE', 'UNAVAILABLE', 30],
  ['manifest', 'TOOMANYREQUESTS', 'UNAVAILABLE', 30],
  ['manifest', 'UPSTREAM_INVALID', 'UPSTREAM_INVALID', 30],
  ['manifest', 'DENIED', 'DENIED', 30],
  ['manifest', 'MANIFEST_UNKNOWN', 'MANIFEST_UNKNOWN', 30],
  ['signature', 'TOOMANYREQUESTS', 'UNAVAILABLE', 30],
  ['signature', 'DENIED', 'MANIFEST_UNKNOWN', 30],
  ['signature', 'MANIFEST_UNKNOWN', 'MANIFEST_UNKNOWN', 30],
  ['child', 'UNAVAILABLE', 'TOOMANYREQUESTS', 1],
  ['child', 'TOOMANYREQUESTS', 'TOOMANYREQUESTS', 1],
  ['child', 'UPSTREAM_INVALID', 'TOOMANYREQUESTS', 1],
  ['child', 'MANIFEST_UNKNOWN', 'MANIFEST_UNKNOWN', 30],
  ['child', 'DENIED', 'DENIED', 30],
  ['blob', 'UNAVAILABLE', 'TOOMANYREQUESTS', 1],
  ['blob', 'TOOMANYREQUESTS', 'TOOMANYREQUESTS', 1],
  ['blob', 'UPSTREAM_INVALID', 'TOOMANYREQUESTS', 1],
  ['blob', 'DENIED', 'BLOB_UNKNOWN', 30],
  ['blob', 'BLOB_UNKNOWN', 'BLOB_UNKNOWN', 30],
  ['blob', 'RANGE_INVALID', 'RANGE_INVALID', 30],
  ['blob', 'UNKNOWN', 'UNKNOWN', 30],
];

for (const [wanted, code, told, wait] of table) {
  test(`a ${wanted} that ends with ${code} is told as ${told}`, (t) => {
    const cause = new Error('below');
    const detail = { upstream: 'quay.io' };
    const error = new RegistryError(code, 'why', { retryAfterSeconds: 30, detail, cause });
    t.match(refusalFor(wanted, error), {
      code: told,
      retryAfterSeconds: wait,
      message: 'why',
      detail,
      cause,
    });
    t.end();
  });
}
