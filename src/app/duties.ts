import type { FastifyInstance } from 'fastify';
import { closeTogether } from '../base/flow/close-all.ts';
import type { Config } from '../config/load.ts';
import { boundAddress } from '../proxy/members/listening.ts';
import { listening } from './server.ts';

interface DutyParts {
  /** The port of operators, not yet listening. */
  readonly admin: FastifyInstance;
  /** The mirror's page on a port of its own, not yet listening. Default: none. */
  readonly mirrorPage: FastifyInstance | undefined;
  /** What runs besides, begun in this order once the ports listen. */
  readonly work: readonly (() => void)[];
}

/** Where operators ask, `host:port`; absent for none. */
interface DutyAddresses {
  readonly adminAddress?: string;
  readonly mirrorAddress?: string;
}

/** What is done once for all who serve one machine's clients: the ports of operators, and work. */
export interface Duties {
  /** Rejects when an address cannot be listened on; may be called again then. */
  start(): Promise<DutyAddresses>;
  /** Closes the ports; who began the work ends it. */
  close(): Promise<void>;
}

/** What is answered to operators at the end may take so long, milliseconds. */
const lastAnswersMs = 1_000;

/** Duties that begin when they are told to. */
export function createDuties({ admin: { listen }, mirror }: Config, parts: DutyParts): Duties {
  const { admin, mirrorPage, work } = parts;
  return {
    async start() {
      const adminAddress = listen === false ? undefined : await listensOn(admin, listen);
      const page = mirror?.listen;
      const mirrorAddress = mirrorPage && page ? await listensOn(mirrorPage, page) : undefined;
      for (const begin of work) begin();
      return { ...(adminAddress && { adminAddress }), ...(mirrorAddress && { mirrorAddress }) };
    },
    close: () => closeTogether([() => closedSoon(admin), () => mirrorPage && closedSoon(mirrorPage)]),
  };
}

/** Of two ports one may listen while the other is taken: the next try finds it so. */
function listensOn(app: FastifyInstance, listen: string): Promise<string> | string {
  return app.server.listening ? boundAddress(app.server, listen) : listening(app, listen);
}

/**
 * A server that closes waits for each request that has begun to arrive, however long it takes: Node
 * looks at none of its limits then.
 */
async function closedSoon(app: FastifyInstance): Promise<void> {
  const late = setTimeout(() => app.server.closeAllConnections(), lastAnswersMs);
  try {
    await app.close();
  } finally {
    clearTimeout(late);
  }
}
