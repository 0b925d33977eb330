import { field, fieldsOf, jsonOrNone, listOf } from '../../base/text/json.ts';
import { hasSlept } from '../../base/time/wait.ts';
import { registryNames } from '../stand/settings.ts';
import type { DrillStand } from '../stand/stand.ts';

/** Copies that the mirror of the fleet was ordered to make. */
export interface MirrorTasks {
  /** Orders one; it counts once a replica says that it is kept. */
  order(repository: string, tag: string): Promise<void>;
  /** Takes no further orders: one that no mirror has taken up yet is in no queue. */
  close(): void;
  /** Lets failed ones be tried again, and waits for all. Resolves to how many are gone. */
  lost(withinMs: number, signal: AbortSignal): Promise<number>;
  /** Drops what still waits or has failed: it would be a fault of the next drill. Never rejects. */
  drop(): Promise<void>;
  readonly ordered: () => number;
}

/** Copies go to the repository `copies` of the registry. `drill`: names the tags. */
export function createMirrorTasks(stand: DrillStand, drill: string): MirrorTasks {
  const tags: string[] = [];
  let next = 0;
  let isClosed = false;

  async function order(repository: string, tag: string): Promise<void> {
    if (isClosed) return;
    next += 1;
    const copy = `${drill}-${next}`;
    const body = JSON.stringify({
      source: `${registryNames.source}/${repository}:${tag}`,
      destination: `${registryNames.copies}/copies:${copy}`,
    });
    const replica = stand.replicas[next % stand.replicas.length];
    const answer = await asked(`${replica?.admin}/api/v1/mirrors`, { method: 'POST', body });
    if (field(answer, 'kept') === true) tags.push(copy);
  }

  const missing = (): readonly string[] =>
    tags.filter((tag) => stand.registry.digestOf('copies', tag) === undefined);

  async function destinations(): Promise<readonly string[]> {
    const pages = await Promise.all(
      stand.replicas.map(({ admin }) => asked(`${admin}/api/v1/mirrors?action=show&state=all&limit=1000`)),
    );
    const tasks = pages.flatMap((page) => listOf(field(page, 'mirrors')));
    return [...new Set(tasks.map((task) => String(fieldsOf(task)['destination'])))];
  }

  async function queued(): Promise<ReadonlySet<string>> {
    return new Set((await destinations()).map((destination) => destination.split(':').at(-1) ?? ''));
  }

  return {
    order: (repository, tag) => order(repository, tag).catch(() => undefined),
    close() {
      isClosed = true;
    },
    ordered: () => tags.length,
    async drop() {
      // Each replica passes it on to the one that copies.
      const [replica] = stand.replicas;
      for (const destination of await destinations().catch(() => []))
        await asked(`${replica?.admin}/api/v1/mirrors?${new URLSearchParams({ destination })}`, {
          method: 'DELETE',
        }).catch(() => undefined);
    },
    async lost(withinMs, signal) {
      for (let waitedMs = 0; waitedMs < withinMs && missing().length > 0; waitedMs += 1_000) {
        for (const { admin } of stand.replicas)
          await asked(`${admin}/api/v1/mirrors/retry`, { method: 'POST', body: '{}' }).catch(() => undefined);
        if (!(await hasSlept(1_000, signal))) break;
      }
      if (missing().length === 0) return 0;
      const waiting = await queued().catch(() => new Set<string>());
      return missing().filter((tag) => !waiting.has(tag)).length;
    },
  };
}

async function asked(url: string, init: RequestInit = {}): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(3_000) });
  return jsonOrNone(await answer.text());
}
