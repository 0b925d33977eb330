import { test } from 'tap';
import { boundRanges, lengthOf, parseRange } from '../../src/oci/range.ts';

const bound = (header: string, size: number) => boundRanges(parseRange(header) ?? [], size);

test('one range, an open end and a suffix are bound to the size', async (t) => {
  t.same(bound('bytes=500-1499', 2048), [{ start: 500, end: 1499 }]);
  t.same(bound('bytes=500-', 2048), [{ start: 500, end: 2047 }]);
  t.same(bound('bytes=-500', 2048), [{ start: 1548, end: 2047 }]);
  t.same(bound('bytes=2000-5000', 2048), [{ start: 2000, end: 2047 }]);
  t.same(bound('bytes=-5000', 2048), [{ start: 0, end: 2047 }]);
});

test('ranges that hold nothing are 416 with the size', async (t) => {
  for (const header of ['bytes=500-0', 'bytes=5000-10000', 'bytes=-0', 'bytes=2048-']) {
    t.throws(() => bound(header, 2048), {
      code: 'RANGE_INVALID',
      headers: { 'content-range': 'bytes */2048' },
    });
  }
});

test('a list keeps its order, and parts past the end are left out', async (t) => {
  t.same(bound('bytes=10-19, 0-4,5000-6000', 100), [
    { start: 10, end: 19 },
    { start: 0, end: 4 },
  ]);
  t.equal(lengthOf({ start: 10, end: 19 }), 10);
});

test('1,024 ranges are taken, one more is a 400 so that the client asks for fewer', async (t) => {
  const header = (count: number) =>
    `bytes=${Array.from({ length: count }, (_, at) => `${at * 10}-${at * 10 + 5}`)}`;
  t.equal(bound(header(1024), 1_000_000).length, 1024);
  t.throws(() => parseRange(header(1025)), { code: 'HEADER_INVALID' });
});

test('malformed ranges are a 400 that names the header', async (t) => {
  for (const header of ['bytes=a-b', 'bytes=-', 'bytes=1', 'bytes=1-2-3', 'bytes=99999999999999999999-']) {
    t.throws(() => parseRange(header), { code: 'HEADER_INVALID', detail: { header: 'Range' } });
  }
});

test('no header and other units mean everything', async (t) => {
  t.equal(parseRange(undefined), undefined);
  t.equal(parseRange('lines=1-2'), undefined);
});
