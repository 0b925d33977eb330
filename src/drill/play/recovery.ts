import { hasSlept } from '../../base/time/wait.ts';
import type { DigestChecks } from '../../load/verify/digest-check.ts';
import type { FleetReplica } from '../stand/replica.ts';
import { type DrillStand, isGood } from '../stand/stand.ts';
import type { DrillImages } from '../watch/images.ts';
import { createDrillClients } from '../watch/pulls.ts';
import { seconds } from './judge.ts';

/** What a recovery is seen by. */
interface RecoveringFleet {
  readonly stand: Pick<DrillStand, 'tokenFile'> & { readonly replicas: readonly RecoveringReplica[] };
  readonly images: Pick<DrillImages, 'warm' | 'cold'>;
  readonly checks: DigestChecks;
  readonly signal: AbortSignal;
}

type RecoveringReplica = Pick<FleetReplica, 'name' | 'url' | 'admin'>;

interface Recovery {
  /** Since the end of the fault, milliseconds; undefined: never. */
  readonly wellMs?: number;
  /** What was wrong last. */
  readonly unwell?: string;
  /** Contents that came with wrong bytes meanwhile. */
  readonly wrong: readonly string[];
}

const mostRecoveryMs = 60_000;
/** The pause between two looks at a replica. */
const lookMs = 1_000;
/** Looks at one replica that are under way. */
const mostLooks = 3;

/** Until every replica is ready, and has served a warm and a cold pull at the first try. */
export async function wellAfter(fleet: RecoveringFleet): Promise<Recovery> {
  const found = await Promise.all(fleet.stand.replicas.map((replica) => replicaWellAfter(replica, fleet)));
  const unwell = found.map((each) => each.unwell).findLast((each) => each !== undefined);
  const times = found.flatMap(({ wellMs }) => wellMs ?? []);
  return {
    ...(times.length === found.length ? { wellMs: Math.max(...times) } : {}),
    ...(unwell === undefined ? {} : { unwell }),
    wrong: found.flatMap(({ wrong }) => wrong),
  };
}

/** A look begins each second, also while pulls of two before it still wait: more would be load. */
async function replicaWellAfter(replica: RecoveringReplica, fleet: RecoveringFleet): Promise<Recovery> {
  const startedAt = performance.now();
  const found: { wellMs?: number; unwell?: string; wrong: string[] } = { wrong: [] };
  const looks = new Set<Promise<void>>();
  for (let turn = 0; turn * lookMs < mostRecoveryMs && found.wellMs === undefined; turn += 1) {
    const look = async (): Promise<void> => {
      const { trouble, wrong } = await lookAt(replica, fleet, turn);
      const atMs = Math.round(performance.now() - startedAt);
      found.wrong.push(...wrong);
      if (trouble !== undefined) found.unwell = `after ${seconds(atMs)}: ${trouble}`;
      else found.wellMs ??= atMs;
    };
    if (looks.size < mostLooks) {
      const looking = look().finally(() => looks.delete(looking));
      looks.add(looking);
    }
    if (!(await hasSlept(turn === 0 ? lookMs / 2 : lookMs, fleet.signal))) break;
  }
  await Promise.all(looks);
  return found;
}

async function lookAt(
  { name, url, admin }: RecoveringReplica,
  { stand: { tokenFile }, images, checks }: RecoveringFleet,
  turn: number,
): Promise<{ readonly trouble: string | undefined; readonly wrong: readonly string[] }> {
  if (!(await isGood(`${admin}/readyz`, 5_000))) return { trouble: `${name} is not ready`, wrong: [] };
  const clients = createDrillClients({
    ...{ url, tokenFile, checks },
    now: () => performance.now(),
    client: 'plain',
  });
  const warm = images.warm[turn % images.warm.length];
  for (const image of [await images.cold(), ...(warm === undefined ? [] : [warm])]) void clients.pull(image);
  await clients.finish(5_000);
  const failed = clients.pulls.find(({ error }) => error !== undefined);
  const wrong = clients.wrong();
  if (wrong.length > 0) return { trouble: `${name} sends wrong bytes`, wrong };
  return { trouble: failed && `${name}: ${failed.isWarm ? 'warm' : 'cold'}: ${failed.error}`, wrong };
}
