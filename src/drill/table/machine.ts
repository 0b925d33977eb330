import { readFile, writeFile } from 'node:fs/promises';
import { fieldsOf, jsonOrNone } from '../../base/text/json.ts';
import { hasSlept } from '../../base/time/wait.ts';
import { freePort } from '../fronts/listening.ts';
import type { BesideProgram } from '../stand/beside-program.ts';
import { dataBytesOf, isStopped, limited, openFilesOf, type ProcessLimit } from '../stand/process.ts';
import type { FleetReplica } from '../stand/replica.ts';
import type { DrillStand } from '../stand/stand.ts';
import type { Drill } from './table.ts';

const mebibyte = 1024 ** 2;

/** The one that is troubled where one is enough: it has the disk. */
export function firstOf({ replicas: [first] }: DrillStand): FleetReplica {
  if (first === undefined) throw new Error('there is no replica');
  return first;
}

/** A limit of the process that runs; where that ends of it, its next one has none. */
function limit(name: string, fault: string, how: (pid: number) => Promise<ProcessLimit>): Drill {
  return {
    name: `process-${name}`,
    layer: 'process',
    fault,
    async start(stand) {
      const { pid } = firstOf(stand).child;
      if (pid === undefined) throw new Error('the replica does not run');
      return how(pid);
    },
    conditions: [],
    alerts: [],
  };
}

/** Stands still and goes on, in turn, until it ends. */
function throttled(child: BesideProgram, { stillMs, runsMs }: { stillMs: number; runsMs: number }) {
  const ending = new AbortController();
  let turns = 0;
  async function run(): Promise<void> {
    do {
      child.signal('SIGSTOP');
      turns += 1;
      await hasSlept(stillMs, ending.signal);
      child.signal('SIGCONT');
    } while (await hasSlept(runsMs, ending.signal));
  }
  const running = run();
  return {
    async end() {
      ending.abort();
      await running;
    },
    met: () => turns,
  };
}

/** What happens to processes of the fleet. */
export const processDrills: readonly Drill[] = [
  {
    name: 'process-killed',
    layer: 'process',
    fault: 'one replica is killed (SIGKILL), and started again after 1 s',
    async start(stand) {
      const { child } = firstOf(stand);
      const { pid } = child;
      child.signal('SIGKILL');
      stand.other?.child.signal('SIGKILL');
      return { end: () => undefined, met: () => (child.pid === pid ? 0 : 1) };
    },
    takesOther: true,
    conditions: [],
    alerts: [],
    isShort: true,
  },
  {
    name: 'process-stopped',
    layer: 'process',
    fault: 'one replica stands still (SIGSTOP) for 20 s',
    async start(stand) {
      const { child } = firstOf(stand);
      child.signal('SIGSTOP');
      stand.other?.child.signal('SIGSTOP');
      return {
        end: () => {
          child.signal('SIGCONT');
          stand.other?.child.signal('SIGCONT');
        },
        met: async () => ((await isStopped(child.pid)) ? 1 : 0),
      };
    },
    takesOther: true,
    holdMs: 20_000,
    conditions: [],
    alerts: [],
  },
  {
    name: 'process-all-stopped',
    layer: 'process',
    fault: 'all replicas stand still (SIGSTOP)',
    async start({ replicas }) {
      for (const { child } of replicas) child.signal('SIGSTOP');
      return {
        end: () => {
          for (const { child } of replicas) child.signal('SIGCONT');
        },
        met: async () => {
          const stopped = await Promise.all(replicas.map(({ child }) => isStopped(child.pid)));
          return stopped.filter(Boolean).length;
        },
      };
    },
    conditions: [],
    alerts: ['QuaysideGone'],
  },
  {
    name: 'process-throttled',
    layer: 'process',
    fault: 'one replica has the processor for a fifth of each second',
    start: async (stand) => throttled(firstOf(stand).child, { stillMs: 800, runsMs: 200 }),
    conditions: [],
    alerts: ['QuaysideEventLoopBlocked'],
  },
  {
    name: 'process-settings',
    layer: 'process',
    fault: 'the settings of one replica change, and take effect only after a restart',
    async start(stand) {
      const { configFile } = firstOf(stand);
      const before = await readFile(configFile, 'utf8');
      const listen = `127.0.0.1:${await freePort()}`;
      await writeFile(configFile, JSON.stringify({ ...fieldsOf(jsonOrNone(before)), listen }));
      return { end: () => writeFile(configFile, before) };
    },
    conditions: ['ConfigurationApplied'],
    alerts: ['QuaysideRestartNeeded'],
  },
  limit('memory', 'one replica gets no memory beyond 24 MiB more', async (pid) =>
    limited(pid, 'data', (await dataBytesOf(pid)) + 24 * mebibyte),
  ),
  limit('descriptors', 'one replica has 4 descriptors left', async (pid) =>
    limited(pid, 'nofile', (await openFilesOf(pid)) + 4),
  ),
];

function parted(name: 'dead' | 'silent', fault: string): Drill {
  return {
    name: `network-${name}`,
    layer: 'network',
    fault,
    async start({ replicas }) {
      for (const { member } of replicas) member.set(name);
      return {
        end: () => {
          for (const { member } of replicas) member.set('open');
        },
        met: () => replicas.reduce((sum, { member }) => sum + member.met(), 0),
      };
    },
    conditions: [],
    alerts: ['QuaysideFleetApart'],
    ...(name === 'silent' ? { isShort: true } : {}),
  };
}

/** The ways between members; clients, upstream and store are reached. */
export const networkDrills: readonly Drill[] = [
  parted('dead', 'members refuse each other connections'),
  parted('silent', 'what members send each other is lost'),
];
