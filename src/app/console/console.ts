// Room `app/console`: what the console shows, made of the parts of a service. In: metrics, the
// generation in force, the store. Out: sections that are told, and answers. Imports: every room
// below.

import { createSealedLogins } from '../../auth/tokens/sealed-logins.ts';
import type { TokenKeys } from '../../auth/tokens/token-keys.ts';
import type { Current } from '../../base/state/watched-file.ts';
import type { Clock } from '../../base/time/wait.ts';
import { qci } from '../../mirror/references/names.ts';
import type { ConsoleData, NodePlaces } from '../../proxy/console/data.ts';
import { loginSeconds } from '../../proxy/console/login.ts';
import type { ConsoleFeed } from '../../proxy/console/stream.ts';
import type { SealedLogins } from '../../proxy/operators/browser-login.ts';
import { failedImages, jobTag } from '../explain/job-file.ts';
import { type BoardParts, ConsoleBoard } from './board.ts';
import { contentAnswer } from './content.ts';
import { contentRights } from './content-rights.ts';
import { createEvictionLook } from './eviction.ts';
import { TrafficHistory } from './history.ts';
import { shownSettings } from './settings.ts';

interface ConsoleParts extends Omit<BoardParts, 'history'> {
  readonly cache: BoardParts['cache'] &
    Parameters<typeof createEvictionLook>[0]['cache'] &
    Parameters<typeof contentAnswer>[1]['cache'];
  /** The page of metrics, of all workers. */
  readonly meters: { text(): Promise<string> };
  readonly tokenKeys: Current<TokenKeys>;
  /** Reads the configuration of nodes. Default: no node is known. */
  readonly nodePlaces?: NodePlaces;
  readonly clock?: Clock;
}

/** What the routes of the console use. */
interface Console {
  readonly feed: ConsoleFeed;
  readonly data: ConsoleData;
  readonly logins: SealedLogins;
  /** Begins to remember what the metrics say. */
  start(): void;
  close(): void;
}

/** Images of a file of a job that are shown. */
const mostImages = 50;

/** Looks at nothing before `start`, or before it is asked. */
export function createConsole(parts: ConsoleParts): Console {
  const { cache, current, meters, tokenKeys, nodePlaces, clock } = parts;
  const ending = new AbortController();
  const history = new TrafficHistory({ page: () => meters.text(), ...(clock && { clock }) });
  const eviction = createEvictionLook({ cache, config: () => current().config, signal: ending.signal });
  return {
    feed: new ConsoleBoard({ ...parts, history }),
    data: {
      content(query, caller) {
        const { config, hosts } = current();
        return contentAnswer(query, { cache, config, rights: contentRights(caller, hosts) });
      },
      eviction,
      settings: () => ({ settings: shownSettings(current().config) }),
      jobFile: (name, text) => imagesIn(name, text),
      ...(nodePlaces && { nodePlaces }),
    },
    logins: createSealedLogins({ keys: tokenKeys, lastsMs: loginSeconds * 1000 }),
    start: () => history.start(),
    close() {
      history.close();
      ending.abort(new Error('the service is shutting down'));
    },
  };
}

/** What failed in a file of a job, each with what the file itself says of it. */
async function imagesIn(file: string, content: string): Promise<object> {
  const all = failedImages({ file, content, flat: qci });
  const images = await Promise.all(
    all.slice(0, mostImages).map(async ({ text, stream }) => {
      if (stream === undefined) return { text, image: text };
      const { finding, image } = await jobTag(text, stream);
      return { text, finding, ...(image !== undefined && { image }) };
    }),
  );
  return { file, images, more: Math.max(0, all.length - mostImages) };
}
