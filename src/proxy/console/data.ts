import type { FastifyInstance, FastifyReply } from 'fastify';
import { fieldsOf, isText } from '../../base/text/json.ts';
import { RegistryError } from '../../oci/errors.ts';
import { json } from '../operators/mirror-api.ts';
import type { Caller, Callers } from '../operators/operator-access.ts';
import { createPlaces } from './places.ts';

/** What of the content is looked at; of all that may be absent, what stands before it is not. */
export interface ContentQuery {
  /** Repositories whose `<upstream>/<repository>` begins with it. */
  readonly search?: string;
  readonly upstream?: string;
  readonly repository?: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** What the page asks for when a view is opened. Both throw `RegistryError` for the caller. */
export interface ConsoleData {
  content(query: ContentQuery, caller: Caller): Promise<object>;
  /** What would be evicted down to so many hundredths of the store's size. */
  eviction(percent: number): Promise<object>;
  /** The settings in force, without secrets. */
  settings(): object;
  /** What a file of a job names that failed. */
  jobFile(name: string, text: string): Promise<object>;
  /** Default: nothing is known of nodes. */
  readonly nodePlaces?: NodePlaces;
}

/** One of the places where a node asks for an image. */
interface NodePlace {
  /** Host and repository. */
  readonly location: string;
  /** The image there, to be explained. */
  readonly image: string;
  /** Why the node does not ask there. */
  readonly skipped?: string;
}

/** Where a node asks for an image by a `registries.conf`, in order. Throws `RegistryError`. */
export type NodePlaces = (conf: string, image: string) => Promise<readonly NodePlace[]>;

interface DataOptions {
  readonly data: ConsoleData;
  readonly callers: Callers;
}

/** A log of a job that a browser sends, bytes. */
const longestFile = 16 * 1024 * 1024;
/** A `registries.conf`, bytes. */
const longestConf = 1024 * 1024;
const longestWord = 512;
/** Looks at content at a time, each of which reads the store; and files, each in memory. */
const mostRunning = 4;
const words = ['search', 'upstream', 'repository', 'tag', 'digest'] as const;

/**
 * `GET /console/content`, `/console/eviction`, `/console/settings`; `POST /console/job-file`,
 * `/console/node-config`.
 */
export function consoleData(app: FastifyInstance, { data, callers }: DataOptions): void {
  const looks = createPlaces({ most: mostRunning, mostOfOne: 1, full: busy });
  const files = createPlaces({ most: mostRunning, mostOfOne: 1, full: busy });

  app.get('/console/content', async (request, reply) => {
    const caller = await callers.of(request, reply.raw);
    const query = contentQuery(fieldsOf(request.query));
    using _place = looks.take(caller);
    return fresh(reply, await data.content(query, caller));
  });
  app.get('/console/eviction', async (request, reply) => {
    requireOperator(await callers.of(request, reply.raw));
    const { percent } = fieldsOf(request.query);
    if (typeof percent !== 'string' || !/^(?:100|\d{1,2})$/.test(percent))
      throw new RegistryError('NAME_INVALID', 'percent must be a whole number from 0 to 100');
    return fresh(reply, await data.eviction(Number(percent)));
  });
  app.get('/console/settings', async (request, reply) => {
    requireOperator(await callers.of(request, reply.raw));
    return fresh(reply, data.settings());
  });
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      'text/plain',
      { parseAs: 'string', bodyLimit: longestFile },
      (_request, body, end) => end(null, body),
    );
    // Before the body, so that no stranger sends one.
    scope.addHook('onRequest', async (request, reply) => {
      const place = files.take(await callers.of(request, reply.raw));
      if (reply.raw.destroyed) place[Symbol.dispose]();
      else reply.raw.once('close', () => place[Symbol.dispose]());
    });
    scope.post('/console/job-file', async (request, reply) => {
      const { name } = fieldsOf(request.query);
      if (!isText(name) || name.length > longestWord || typeof request.body !== 'string')
        throw new RegistryError('NAME_INVALID', 'name and a body of text must be given');
      return fresh(reply, await data.jobFile(name, request.body));
    });
    scope.post('/console/node-config', { bodyLimit: longestConf }, async (request, reply) => {
      const { image } = fieldsOf(request.query);
      if (!isText(image) || image.length > longestWord || typeof request.body !== 'string')
        throw new RegistryError('NAME_INVALID', 'image and a body of text must be given');
      return fresh(reply, { image, places: (await data.nodePlaces?.(request.body, image)) ?? [] });
    });
    done();
  });
}

function contentQuery(given: Readonly<Record<string, unknown>>): ContentQuery {
  const query: Record<string, string> = {};
  for (const word of words) {
    const value = given[word];
    if (value === undefined) continue;
    if (typeof value !== 'string' || value.length > longestWord)
      throw new RegistryError('NAME_INVALID', `${word} must be given once, in ${longestWord} characters`);
    query[word] = value;
  }
  return query;
}

function requireOperator({ isOperator }: Caller): void {
  if (!isOperator) throw new RegistryError('DENIED', 'this is for operators');
}

function busy(): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', 'too many look at content or files now; try again', {
    retryAfterSeconds: 1,
  });
}

function fresh(reply: FastifyReply, value: object): FastifyReply {
  void reply.header('cache-control', 'no-store');
  return json(reply, value);
}
