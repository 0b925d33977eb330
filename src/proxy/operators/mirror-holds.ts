import type { FastifyInstance } from 'fastify';
import { defined } from '../../base/text/defined.ts';
import { field, fieldsOf, textOf } from '../../base/text/json.ts';
import { askerOf, faultIn, json, pathOf, refused } from './mirror-api.ts';

interface MirrorHoldsApi {
  /** Holds in the form in which they are shown. */
  list(): Promise<readonly object[]>;
  /** Resolves to the hold as it is shown; throws an Error for the client. */
  hold(
    order: { readonly destination: string; readonly until?: string; readonly why?: string },
    asker: ReturnType<typeof askerOf>,
  ): Promise<object>;
  /** Resolves to whether there was a hold. */
  release(destination: string, asker: ReturnType<typeof askerOf>): Promise<boolean>;
}

export interface MirrorHoldsOptions {
  readonly holds: MirrorHoldsApi;
  /** Told of the path of each request. */
  readonly serving: (path: string) => void;
}

/** The destinations that the loop leaves as they are: `GET /api/v1/mirrors/holds`. */
export function mirrorHolds(app: FastifyInstance, { holds, serving }: MirrorHoldsOptions): void {
  app.get('/api/v1/mirrors/holds', async (request, reply) => {
    serving(pathOf(request));
    try {
      return json(reply, { holds: await holds.list() });
    } catch {
      return refused(reply, 503, unread);
    }
  });
}

/**
 * `POST /api/v1/mirrors/hold` with `destination`, and by choice `until` and `why`, keeps the loop
 * from a destination; `POST /api/v1/mirrors/release` ends that. For operators alone.
 */
export function holdOrders(app: FastifyInstance, { holds, serving }: MirrorHoldsOptions): void {
  app.post('/api/v1/mirrors/hold', async (request, reply) => {
    serving(pathOf(request));
    const fault = faultIn(request, ['destination', 'until', 'why']);
    if (fault !== undefined) return refused(reply, 400, fault);
    const { destination, until, why } = fieldsOf(request.body);
    const target = textOf(destination);
    if (target === undefined) return refused(reply, 400, 'destination must be set');
    const order = { destination: target, ...defined({ until: textOf(until), why: textOf(why) }) };
    try {
      return json(reply, await holds.hold(order, askerOf(request)));
    } catch (error) {
      return refusedBy(reply, error);
    }
  });
  app.post('/api/v1/mirrors/release', async (request, reply) => {
    serving(pathOf(request));
    const fault = faultIn(request, ['destination']);
    if (fault !== undefined) return refused(reply, 400, fault);
    const destination = textOf(fieldsOf(request.body)['destination']);
    if (destination === undefined) return refused(reply, 400, 'destination must be set');
    try {
      if (await holds.release(destination, askerOf(request))) return json(reply, { released: 1 });
    } catch (error) {
      return refusedBy(reply, error);
    }
    return refused(reply, 404, `no hold on ${destination}`);
  });
}

const unread = 'the store cannot be read or written now; try again';

/** What the order gets wrong has a kind or code; every other failure is the store's. */
function refusedBy(reply: Parameters<typeof refused>[0], error: unknown): ReturnType<typeof refused> {
  const isOurs = error instanceof Error && (error.name === 'CopyError' || error.name === 'RegistryError');
  if (!isOurs) return refused(reply, 503, unread);
  return refused(reply, field(error, 'kind') === 'held' ? 409 : 400, error.message);
}
