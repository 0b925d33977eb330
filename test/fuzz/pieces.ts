import type { Random } from '../chaos/random.ts';
import type { DoubleImage } from '../support/registry-contents.ts';

/** What one request must be answered with. */
export interface Expected {
  readonly method: string;
  /** Any of these. */
  readonly statuses: readonly number[];
  /** The whole body; any without. */
  readonly body?: Buffer;
}

/** Something that a client sends. */
export interface Piece {
  readonly what: string;
  readonly bytes: Buffer;
  /** Absent for what is no request: nothing behind it is answered. */
  readonly expected?: Expected;
  /** The connection ends with its answer. */
  readonly isLast?: boolean;
  /** Must be sent last: Node drops what comes in one packet behind a request for an upgrade. */
  readonly mustEnd?: boolean;
}

/** What the service under test is asked for. */
export interface Target {
  readonly repository: string;
  readonly tag: string;
  /** Stored before the first request. */
  readonly image: DoubleImage;
  /** Never requested so far. */
  readonly cold: DoubleImage['layers'][number];
}

interface Plan {
  readonly what: string;
  readonly method?: string;
  readonly path: string;
  readonly fields?: readonly string[];
  readonly body?: string;
  readonly statuses: readonly number[];
  readonly answer?: Buffer;
}

const nothing = Buffer.alloc(0);
const longBody = 10_000;
const form = 'application/x-www-form-urlencoded';

/** A well-formed request, with what must come back. */
export function request(random: Random, target: Target): Piece {
  const plan = random.pick(plans)(random, target);
  const { method = 'GET', body = '' } = plan;
  // Node closes without reading on. A client that still sends is reset, and may lose what it has
  // not read.
  const isLong = body.length > longBody;
  const decorated = isLong ? sized(plan.body) : random.pick(decorations)(random, plan.body);
  const isOld = decorated.version === '1.0';
  const isLast = isOld || decorated.fields.includes('Connection: close');
  const fields = [...(isOld ? [] : ['Host: 127.0.0.1']), ...(plan.fields ?? []), ...decorated.fields];
  const head = [`${method} ${plan.path} HTTP/${decorated.version ?? '1.1'}`, ...fields, '\r\n'].join('\r\n');
  const answer = method === 'HEAD' ? nothing : plan.answer;
  return {
    what: `${plan.what} ${decorated.fields.map((field) => field.slice(0, 30)).join(' ')}`.trim(),
    bytes: Buffer.from(head + body, 'latin1'),
    expected: { method, statuses: plan.statuses, ...(answer === undefined ? {} : { body: answer }) },
    isLast,
    mustEnd: decorated.fields.some((field) => field.startsWith('Upgrade:')),
  };
}

/** Bytes that are no request, or one for a tunnel, which Node answers by closing the connection. */
export function garbage(random: Random): Piece {
  const text = random.pick(malformed);
  return { what: `garbage ${JSON.stringify(text.slice(0, 40))}`, bytes: Buffer.from(text, 'latin1') };
}

const plans: readonly ((random: Random, target: Target) => Plan)[] = [
  () => ({ what: 'ping', path: '/v2/', statuses: [200], answer: Buffer.from('{}') }),
  (random, { repository, tag, image }) => ({
    what: 'manifest',
    method: random.pick(['GET', 'GET', 'HEAD']),
    path: `/v2/${repository}/manifests/${random.pick([tag, image.digest])}`,
    statuses: [200],
    answer: image.manifest,
  }),
  (random, target) => ({ ...blob(random, target), statuses: [200] }),
  (random, target) => ({ ...blob(random, target), statuses: [200] }),
  (random, target) => ranged(random, target),
  (_random, { repository, cold }) => ({
    what: 'cold blob',
    path: `/v2/${repository}/blobs/${cold.digest}`,
    statuses: [200],
    answer: cold.bytes,
  }),
  (_random, { repository, tag, image }) => ({
    what: 'known manifest',
    path: `/v2/${repository}/manifests/${tag}`,
    fields: [`If-None-Match: "${image.digest}"`],
    statuses: [304],
    answer: nothing,
  }),
  (random, { repository }) => ({
    what: 'nothing',
    path: `/v2/${repository}/${random.pick(['manifests/none', 'blobs/x', 'what', `manifests/${'t'.repeat(200)}`])}`,
    statuses: [400, 404],
  }),
  (random, { repository, image }) => ({
    what: 'list',
    path: `/v2/${repository}/${random.pick(['tags/list', `referrers/${image.digest}`])}`,
    statuses: [200],
  }),
  (random, { repository }) => ({
    what: 'write',
    method: random.pick(['PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']),
    path: `/v2/${repository}/${random.pick(['manifests/x', 'blobs/uploads/'])}`,
    body: 'w'.repeat(random.pick([0, 0, 10, 70_000])),
    statuses: [404, 405],
  }),
  (random) => ({
    what: 'token',
    method: 'POST',
    path: '/v2/auth',
    fields: [`Content-Type: ${form}`],
    body: `grant_type=password&username=${'u'.repeat(random.below(9_000))}`,
    statuses: [404],
  }),
  // Not /readyz: on a machine without time to spare its 503 is honest.
  (random) => ({ what: 'health', path: random.pick(['/healthz', '/livez']), statuses: [200] }),
  (random) => ({ what: 'elsewhere', path: random.pick(['/', '/v1/', '/%zz', '/..']), statuses: [400, 404] }),
];

function blob(random: Random, { repository, image }: Target): Omit<Plan, 'statuses'> {
  const { digest, bytes } = random.pick(image.layers);
  const method = random.pick(['GET', 'GET', 'GET', 'HEAD']);
  return { what: 'blob', method, path: `/v2/${repository}/blobs/${digest}`, answer: bytes };
}

function ranged(random: Random, { repository, image }: Target): Plan {
  const { digest, bytes } = random.pick(image.layers);
  const path = `/v2/${repository}/blobs/${digest}`;
  const [from, length] = [random.below(bytes.byteLength), 1 + random.below(bytes.byteLength)];
  const plan = (range: string) => ({ what: 'range', path, fields: [`Range: bytes=${range}`] });
  if (random.isLucky(0.2)) return { ...plan(`${bytes.byteLength}-`), statuses: [416] };
  if (random.isLucky(0.2)) return { ...plan('0-9,20-29,-5'), statuses: [206] };
  return {
    ...plan(`${from}-${from + length - 1}`),
    statuses: [206],
    answer: bytes.subarray(from, from + length),
  };
}

interface Decoration {
  readonly fields: readonly string[];
  readonly version?: string;
}

/** What changes nothing of the answer. A body has its length, or is told in another way. */
const decorations: readonly ((random: Random, body?: string) => Decoration)[] = [
  (_random, body) => sized(body),
  (_random, body) => sized(body),
  (_random, body) => sized(body),
  (_random, body) => sized(body, 'Expect: 100-continue'),
  (_random, body) => sized(body, 'Connection: close'),
  (_random, body) => sized(body, 'Connection: Upgrade', 'Upgrade: h2c'),
  (random, body) => sized(body, `X-Long: ${'x'.repeat(random.below(50_000))}`),
  (random, body) => sized(body, ...Array.from({ length: random.below(60) }, (_, at) => `X-${at}: ${at}`)),
  (_random, body) => ({ ...sized(body), version: '1.0' }),
];

function sized(body: string | undefined, ...fields: readonly string[]): Decoration {
  return { fields: body === undefined ? fields : [...fields, `Content-Length: ${body.length}`] };
}

const malformed: readonly string[] = [
  ...Array.from({ length: 4 }, () => 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'),
  'GET /v2/ HTTP/1.1\r\nBad Name: x\r\n\r\n',
  'GET /v2/ HTTP/9.9\r\nHost: a\r\n\r\n',
  'GET /v2/ HTTP/1.1\nHost: a\n\n',
  'GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n',
  'GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
  'PUT /v2/a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /v2/auth HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  `POST /v2/auth HTTP/1.1\r\nHost: a\r\nContent-Type: ${form}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
  'PUT /v2/a/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'GET /v2/ HTTP/1.1\r\n\r\n',
  'WHAT /v2/ HTTP/1.1\r\nHost: a\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  `GET /v2/ HTTP/1.1\r\nHost: a\r\nX-Huge: ${'h'.repeat(70_000)}\r\n\r\n`,
  `GET /${'p'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ${'\0'.repeat(9)}\r\n\r\n`,
];
