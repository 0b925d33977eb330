import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Clock, systemClock } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import { noSniffing } from '../http/nosniff.ts';
import type { Caller, Callers } from '../operators/operator-access.ts';
import { createPlaces } from './places.ts';

/** What the page is told by itself, by section. */
type FeedSections = Readonly<Record<string, unknown>>;

export interface ConsoleFeed {
  /** What the caller may see now. The same object while nothing of it changed. */
  sections(caller: Caller): Promise<FeedSections>;
}

interface StreamOptions {
  readonly feed: ConsoleFeed;
  readonly callers: Callers;
  readonly clock?: Clock;
}

/** Streams at a time, and of one user who is no operator. */
const mostStreams = 50;
const mostOfOne = 5;
/** A stream tells what changed this often at most, milliseconds. */
const everyMs = 1_000;
/** Who is told is looked at again this often, milliseconds. */
const rightsEveryMs = 30_000;
/** Proxies close what is silent for longer, milliseconds. */
const silentMs = 15_000;
/** A browser that does not take what it was sent is told nothing more, bytes; and cut off, ms. */
const mostUnread = 1024 * 1024;
const longestUnreadMs = 60_000;
/** Sections of which only items with a new `id` are told. */
const lists: ReadonlySet<string> = new Set(['failures']);

/**
 * `GET /console/events`: server-sent events (HTML, section 9.2). First `snapshot` with all that the
 * caller may see, then `changed` with the sections that did, at most once a second. The caller's
 * rights are looked at again every 30 s; `ended` says why a stream ends.
 */
export function consoleStream(app: FastifyInstance, { feed, callers, clock }: StreamOptions): void {
  const streams = new Set<EventStream>();
  const places = createPlaces({ most: mostStreams, mostOfOne, full });
  app.addHook('preClose', (done) => {
    for (const stream of streams) stream.end();
    done();
  });

  app.get('/console/events', async (request, reply) => {
    const caller = await callers.of(request, reply.raw);
    // Taken before the first look, and given back also by a browser that leaves during it.
    using _place = places.take(caller);
    const first = await feed.sections(caller);
    reply.hijack();
    if (reply.raw.destroyed) return;
    const stream = new EventStream(reply.raw, clock ?? systemClock);
    streams.add(stream);
    await followed(stream, { caller, first, request });
    streams.delete(stream);
  });

  async function followed(
    stream: EventStream,
    {
      caller,
      first,
      request,
    }: { readonly caller: Caller; readonly first: FeedSections; readonly request: FastifyRequest },
  ): Promise<void> {
    let told = texts(first);
    stream.send('snapshot', first);
    try {
      for (let checkedMs = 0; await stream.slept(everyMs); checkedMs += everyMs) {
        if (checkedMs >= rightsEveryMs) {
          checkedMs = 0;
          const now = await callers.of(request, stream.response);
          if (now.name !== caller.name || now.isOperator !== caller.isOperator)
            return stream.end('the rights of this login changed');
        }
        if (stream.isBehind) continue;
        const sections = await feed.sections(caller);
        const next = texts(sections);
        const changed = changes(sections, { before: told, after: next });
        told = next;
        if (changed !== undefined) stream.send('changed', changed);
      }
    } catch (error) {
      stream.end(error instanceof RegistryError ? error.message : 'the server cannot tell more');
    }
  }
}

function full(): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', 'too many browsers follow this server', {
    retryAfterSeconds: 30,
  });
}

/** Each section as it is sent, and of lists the ids. */
type SectionTexts = ReadonlyMap<string, string | ReadonlySet<unknown>>;

/** What several streams are told is made a text once. */
const written = new WeakMap<object, string>();

function texts(sections: FeedSections): SectionTexts {
  return new Map(
    Object.entries(sections).map(([name, section]) => [
      name,
      lists.has(name) ? new Set(itemsOf(section).map(({ id }) => id)) : textOf(section),
    ]),
  );
}

function textOf(section: unknown): string {
  if (typeof section !== 'object' || section === null) return String(section);
  const text = written.get(section) ?? JSON.stringify(section);
  written.set(section, text);
  return text;
}

/** What is to be told; undefined for nothing. */
function changes(
  sections: FeedSections,
  { before, after }: { readonly before: SectionTexts; readonly after: SectionTexts },
): FeedSections | undefined {
  const changed: Record<string, unknown> = {};
  for (const [name, text] of after) {
    const known = before.get(name);
    if (known instanceof Set) {
      const items = itemsOf(sections[name]).filter(({ id }) => !known.has(id));
      if (items.length > 0) changed[name] = items;
    } else if (known !== text) changed[name] = sections[name];
  }
  return Object.keys(changed).length === 0 ? undefined : changed;
}

function itemsOf(section: unknown): readonly { readonly id?: unknown }[] {
  return Array.isArray(section) ? section : [];
}

/** One browser that follows. */
class EventStream {
  readonly response: ServerResponse;
  readonly #clock: Clock;
  readonly #ended = Promise.withResolvers<false>();
  #silentMs = 0;
  #unreadMs = 0;

  constructor(response: ServerResponse, clock: Clock) {
    this.response = response;
    this.#clock = clock;
    response.once('close', () => this.#ended.resolve(false));
    response.writeHead(200, {
      ...noSniffing,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 3000\n\n');
  }

  /** Whether the browser has not taken what it was sent before. */
  get isBehind(): boolean {
    return this.response.writableLength > mostUnread;
  }

  /** Nothing is said after the end, as when the server closes during a look. */
  send(event: string, data: object): void {
    if (this.response.writableEnded) return;
    this.#silentMs = 0;
    this.response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Resolves to whether the browser still follows, after so many milliseconds. */
  async slept(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<true>();
    using _timer = this.#clock.setTimeout(() => resolve(true), ms);
    if (!(await Promise.race([promise, this.#ended.promise]))) return false;
    this.#silentMs += ms;
    this.#unreadMs = this.isBehind ? this.#unreadMs + ms : 0;
    if (this.#unreadMs > longestUnreadMs) this.response.destroy();
    else if (this.#silentMs >= silentMs && !this.isBehind) {
      this.#silentMs = 0;
      this.response.write(':\n\n');
    }
    return !this.response.destroyed;
  }

  end(why?: string): void {
    if (why !== undefined) this.send('ended', { why });
    this.response.end();
    this.#ended.resolve(false);
  }
}
