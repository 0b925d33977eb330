import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { defined } from '../../base/text/defined.ts';
import { tokenPath } from '../../proxy/access/challenge.ts';
import { endedStatus } from '../../proxy/http/request-log.ts';

/** One line as the program `qci-appci` wrote it, for the queries and alerts that know its words. */
export interface ParityLine {
  readonly level: 'debug' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean | undefined>>;
}

/** What those lines say about one request that is over. Holds no credential. */
export interface ParityFacts {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly client: string;
  readonly shown: Shown;
  /** The subject; absent without a login. */
  readonly subject?: string;
  /** Absent for a robot. */
  readonly cluster?: string;
  /** Of a pull. */
  readonly verdict?: 'allowed' | 'refused';
  /** The code of the answer's error. */
  readonly error?: string;
  /** The answer's `WWW-Authenticate`. */
  readonly challenge?: string;
}

/** The form of an `Authorization` value. */
type Shown =
  | { readonly kind: 'none' | 'bearer' }
  /** The name is what the client wrote: anything. */
  | { readonly kind: 'basic'; readonly username: string };

interface ParityLogOptions {
  readonly write: (line: ParityLine) => void;
}

const longestPath = 512;
const longestName = 256;

/** Writes those lines when a response is closed, beside our own one. */
export function parityLog(app: FastifyInstance, { write }: ParityLogOptions): void {
  app.addHook('onRequest', (request, reply, done) => {
    const startedAtMs = performance.now();
    reply.raw.once('close', () => {
      const seconds = (performance.now() - startedAtMs) / 1000;
      for (const line of parityLines({ ...factsOf(request, reply), seconds })) write(line);
    });
    done();
  });
}

/** The lines for one request, in the order in which the original wrote them. */
export function parityLines(facts: ParityFacts): ParityLine[] {
  const { method, path: uri, status: code, bytes: size, seconds, shown, client: host } = facts;
  const access = debug('Access log', {
    method,
    uri,
    code,
    size,
    duration: nanoseconds(seconds),
    token: shown.kind === 'bearer',
    host,
  });
  return [...storyOf(facts), access];
}

/** Go writes a duration as its nanoseconds. */
export function nanoseconds(seconds: number): number {
  return Math.round(seconds * 1e9);
}

function storyOf(facts: ParityFacts): ParityLine[] {
  if (facts.path === '/healthz') return [];
  if (facts.path === tokenPath) return loginLines(facts);
  const isTurnedAway = facts.subject === undefined && facts.status === 401;
  if (isTurnedAway && facts.shown.kind !== 'bearer') return [debug('Found no token', { path: facts.path })];
  return pullLines(facts, isTurnedAway);
}

function loginLines({ path, shown, status, subject, cluster, error }: ParityFacts): ParityLine[] {
  const username = subject ?? (shown.kind === 'basic' ? shown.username : '');
  if (subject !== undefined && status === 200) {
    const words = cluster === undefined ? 'token for the CI robot user' : 'token for user';
    const before = cluster === undefined ? 'Providing' : 'Provide';
    return [`${before} ${words}`, `Provided ${words}`].map((message) => debug(message, { path, username }));
  }
  if (status === 500) return [failed('Failed to set up token.', { username, error })];
  if (shown.kind !== 'basic') return [debug('Failed to get basic auth', { path, basic: false })];
  return [debug('Failed to validate the user', { path, username, error, valid: false })];
}

function pullLines({ path, status, error, challenge, ...who }: ParityFacts, isTurnedAway: boolean) {
  const isLetThrough = status !== 401 && who.subject !== undefined && who.verdict !== 'refused';
  const middle = [
    ...(isTurnedAway ? [failed('Failed to validate token', { error })] : []),
    ...(isLetThrough ? [debug('Replacing bearer token ...', {})] : []),
  ];
  const answer = status === 401 ? { authenticateHeader: challenge } : { statusCode: status };
  return [debug('Proxy received request', { path }), ...middle, debug('Proxy responded', answer)];
}

function debug(message: string, fields: ParityLine['fields']): ParityLine {
  return { level: 'debug', message, fields };
}

function failed(message: string, fields: ParityLine['fields']): ParityLine {
  return { level: 'error', message, fields };
}

function factsOf({ method, raw, headers }: FastifyRequest, reply: FastifyReply) {
  const { subject, cluster, verdict, error, challenge, bytes, client } = reply.record;
  return {
    method,
    path: pathOf(raw.url ?? ''),
    status: endedStatus(reply),
    bytes,
    client,
    shown: shownBy(headers.authorization),
    ...defined({ subject, cluster, verdict, error, challenge }),
  };
}

/** Of a URL with an authority nothing: it may name a user. */
function pathOf(url: string): string {
  if (!url.startsWith('/')) return '';
  return (url.split('?', 1)[0] ?? '').slice(0, longestPath);
}

/** Never the secret half. */
function shownBy(authorization = ''): Shown {
  if (/^bearer +\S/i.test(authorization)) return { kind: 'bearer' };
  const encoded = /^basic +(\S+)/i.exec(authorization)?.[1];
  if (encoded === undefined) return { kind: 'none' };
  const [username = ''] = Buffer.from(encoded, 'base64').toString().split(':', 1);
  return { kind: 'basic', username: username.slice(0, longestName) };
}
