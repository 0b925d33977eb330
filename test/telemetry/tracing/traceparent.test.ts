import { test } from 'tap';
import { parseTraceparent, traceHeaders } from '../../../src/telemetry/tracing/traceparent.ts';

const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];

test('a traceparent is read as the W3C has it, and written again', (t) => {
  const parent = { traceId, spanId, traceFlags: 1, isRemote: true };
  t.same(parseTraceparent(`00-${traceId}-${spanId}-01`), parent);
  t.same(parseTraceparent(`00-${traceId}-${spanId}-ff`), parent, 'of the flags only the first counts');
  t.same(parseTraceparent(`cc-${traceId}-${spanId}-01-of-a-later-version`), parent);
  t.same(traceHeaders(parent), { traceparent: `00-${traceId}-${spanId}-01` });
  t.end();
});

test('what is malformed names no parent', (t) => {
  for (const text of [
    ...[undefined, '', 'nonsense', `00-${traceId}-${spanId}`, `00-${traceId}-${spanId}-1`],
    ...[
      `ff-${traceId}-${spanId}-01`,
      `00-${traceId}-${spanId}-01-more`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
    ],
    ...[
      `00-${'0'.repeat(32)}-${spanId}-01`,
      `00-${traceId}-${'0'.repeat(16)}-01`,
      `00-${traceId.slice(1)}-${spanId}-01`,
    ],
    `cc-${traceId}-${spanId}-01-${'x'.repeat(1_000)}`,
  ])
    t.equal(parseTraceparent(text), undefined, String(text).slice(0, 60));
  t.end();
});
