import { field, fieldsOf, listOf, textOf } from '../../src/base/text/json.ts';
import type { SentSpan } from './collector-double.ts';

/** The spans of an `ExportTraceServiceRequest` in JSON. */
export function spansInJson(bytes: Uint8Array): readonly SentSpan[] {
  const sent: unknown = JSON.parse(Buffer.from(bytes).toString());
  return listOf(field(sent, 'resourceSpans')).flatMap((group) => {
    const resource = attributesIn(field(group, 'resource'));
    const spans = listOf(field(group, 'scopeSpans')).flatMap((scope) => listOf(field(scope, 'spans')));
    return spans.map((span): SentSpan => {
      const { name, traceId, spanId, parentSpanId, kind, links, events, status } = fieldsOf(span);
      const [start, end] = [field(span, 'startTimeUnixNano'), field(span, 'endTimeUnixNano')].map(Number);
      return {
        ...{ name: String(name), traceId: String(traceId), spanId: String(spanId) },
        ...{ parentId: textOf(parentSpanId) ?? '', kind: Number(kind), attributes: attributesIn(span) },
        ...timesOf(start, end),
        links: listOf(links).map((link) => ({
          traceId: String(field(link, 'traceId')),
          spanId: String(field(link, 'spanId')),
        })),
        events: listOf(events).map((event) => String(field(event, 'name'))),
        hasFailed: field(status, 'code') === 2,
        resource,
      };
    });
  });
}

function attributesIn(value: unknown): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    listOf(field(value, 'attributes')).map((pair) => {
      const { stringValue, intValue, boolValue, doubleValue } = fieldsOf(field(pair, 'value'));
      const number = intValue ?? doubleValue;
      return [String(field(pair, 'key')), stringValue ?? boolValue ?? (number && Number(number))];
    }),
  );
}

/** Fields of a message of protobuf by their number, in the order in which they came. */
type Message = ReadonlyMap<number, readonly Uint8Array[]>;

/** The same in protobuf: opentelemetry/proto/trace/v1/trace.proto has the numbers of the fields. */
export function spansInProtobuf(bytes: Uint8Array): readonly SentSpan[] {
  return all(messageIn(bytes), 1).flatMap((group) => {
    const resource = pairsIn(all(group, 1)[0] ?? new Map(), 1);
    const spans = all(group, 2).flatMap((scope) => all(scope, 2));
    return spans.map(
      (span): SentSpan => ({
        ...{ name: textIn(span, 5), traceId: hexIn(span, 1), spanId: hexIn(span, 2) },
        ...{ parentId: hexIn(span, 4), kind: numberIn(span, 6), attributes: pairsIn(span, 9) },
        ...timesOf(nanosecondsIn(span, 7), nanosecondsIn(span, 8)),
        links: all(span, 13).map((link) => ({ traceId: hexIn(link, 1), spanId: hexIn(link, 2) })),
        events: all(span, 11).map((event) => textIn(event, 2)),
        hasFailed: all(span, 15).some((status) => numberIn(status, 3) === 2),
        resource,
      }),
    );
  });
}

/** A value of a varint is kept as its bytes. */
function messageIn(bytes: Uint8Array): Message {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  const varint = (): Uint8Array => {
    const start = at;
    while (((bytes[at] ?? 0) & 0x80) !== 0) at += 1;
    at += 1;
    return bytes.subarray(start, at);
  };
  const taken = (length: number): Uint8Array => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = numberOf(varint());
    const wire = key & 7;
    const value =
      wire === 0 ? varint() : wire === 1 ? taken(8) : wire === 5 ? taken(4) : taken(numberOf(varint()));
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), value]);
  }
  return fields;
}

function numberOf(varint: Uint8Array | undefined): number {
  return Number(
    [...(varint ?? new Uint8Array())].reduceRight((sum, byte) => sum * 128n + BigInt(byte & 0x7f), 0n),
  );
}

function all(message: Message, number: number): readonly Message[] {
  return (message.get(number) ?? []).map(messageIn);
}

function textIn(message: Message, number: number): string {
  return Buffer.from(message.get(number)?.[0] ?? []).toString();
}

function hexIn(message: Message, number: number): string {
  return Buffer.from(message.get(number)?.[0] ?? []).toString('hex');
}

function numberIn(message: Message, number: number): number {
  return numberOf(message.get(number)?.[0]);
}

function nanosecondsIn(message: Message, number: number): number {
  const bytes = message.get(number)?.[0];
  return bytes === undefined ? Number.NaN : Number(Buffer.from(bytes).readBigUInt64LE());
}

function timesOf(start = Number.NaN, end = Number.NaN): Pick<SentSpan, 'startedAt' | 'ms'> {
  return { startedAt: start / 1e6, ms: (end - start) / 1e6 };
}

function pairsIn(message: Message, number: number): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    all(message, number).map((pair) => {
      const value = all(pair, 2)[0] ?? new Map();
      const double = value.get(4)?.[0];
      const known = value.has(1)
        ? textIn(value, 1)
        : double === undefined
          ? numberIn(value, value.has(3) ? 3 : 2)
          : Buffer.from(double).readDoubleLE();
      return [textIn(pair, 1), known];
    }),
  );
}
