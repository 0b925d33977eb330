import type { Span } from '@opentelemetry/api';
import { test } from 'tap';
import { type SpanSource, Spans } from '../../../src/telemetry/tracing/spans.ts';

const context = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 };

/** Spans of a source that only notes them. */
function noted() {
  const told: string[] = [];
  const state = { hasMore: true };
  const source: SpanSource = {
    start(name) {
      told.push(`begins ${name}`);
      const span = {
        spanContext: () => context,
        setAttribute: (key: string, value: unknown) => told.push(`${name} has ${key} ${value}`),
        end: () => told.push(`ends ${name}`),
      };
      return span as unknown as Span;
    },
    hasMore: () => state.hasMore,
    failed: (_span, type) => void told.push(`fails with ${type}`),
    close: async () => undefined,
  };
  return { told, state, spans: new Spans(source, true) };
}

test('a step has a span below what runs, and ends with it, whatever comes of it', async (t) => {
  const { told, spans } = noted();
  const request = spans.start('request', {});
  t.equal(
    spans.step('alone', {}, () => 1),
    1,
    'what nothing caused has no span',
  );
  await spans.within(request, async () => {
    t.equal(await spans.step('tag', {}, async () => 2), 2);
    const refused = Object.assign(new Error('no'), { code: 'DENIED' });
    await t.rejects(spans.step('access', {}, () => Promise.reject(refused)));
    t.throws(() =>
      spans.step('store', {}, () => {
        throw new TypeError('a secret');
      }),
    );
  });
  t.same(told, [
    ...['begins request', 'begins tag', 'ends tag'],
    ...['begins access', 'access has error.type DENIED', 'ends access'],
    ...['begins store', 'fails with TypeError', 'ends store'],
  ]);
});

test('a loop that outlives what began it has no spans, and still passes its trace on', (t) => {
  const { told, state, spans } = noted();
  const traceparent = `00-${context.traceId}-${context.spanId}-01`;
  spans.within(spans.start('request', {}), () => {
    state.hasMore = false;
    spans.step('upstream GET ping', {}, (headers) => t.same(headers, { traceparent }));
  });
  t.same(told, ['begins request']);
  t.end();
});
