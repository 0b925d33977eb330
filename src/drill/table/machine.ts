import { hasSlept } from '../../base/time/wait.ts';
import { dataBytesOf, isStopped, limited, openFilesOf, type ProcessLimit } from '../stand/process.ts';
import type { FleetReplica } from '../stand/replica.ts';
import type { DrillStand } from '../stand/stand.ts';
import type { Drill } from './table.ts';

const dayMs = 24 * 3_600_000;
const mebibyte = 1024 ** 2;

/** The one that is troubled where one is enough: it has the disk. */
function firstOf({ replicas: [first] }: DrillStand): FleetReplica {
  if (first === undefined) throw new Error('there is no replica');
  return first;
}

const lacksDisk = ({ disk }: DrillStand): string | undefined =>
  disk.trouble === undefined ? 'a file system cannot be mounted here: run it as root, on Linux' : undefined;

/** Of the replica with a disk before its bucket, and its spool there. */
export const diskDrills: readonly Drill[] = [
  {
    name: 'disk-full',
    layer: 'disk',
    fault: 'the disk of one replica is full',
    lacks: lacksDisk,
    async start({ disk }) {
      await disk.trouble?.fill();
      return { end: () => disk.trouble?.empty() };
    },
    conditions: ['SpoolUsable', 'DiskUsable'],
    alerts: ['QuaysideDiskFilling', 'QuaysideSpoolUnusable', 'QuaysideDiskUnusable'],
  },
  {
    name: 'disk-read-only',
    layer: 'disk',
    fault: 'the disk of one replica is read-only',
    lacks: lacksDisk,
    async start({ disk }) {
      await disk.trouble?.setReadOnly(true);
      return { end: () => disk.trouble?.setReadOnly(false) };
    },
    conditions: ['SpoolUsable', 'DiskUsable'],
    alerts: ['QuaysideSpoolUnusable', 'QuaysideDiskUnusable'],
  },
];

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

/** What happens to one process of the fleet. */
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
  limit('memory', 'one replica gets no memory beyond 24 MiB more', async (pid) =>
    limited(pid, 'data', (await dataBytesOf(pid)) + 24 * mebibyte),
  ),
  limit('descriptors', 'one replica has 4 descriptors left', async (pid) =>
    limited(pid, 'nofile', (await openFilesOf(pid)) + 4),
  ),
];

function clock(name: string, fault: string, aheadMs: number): Drill {
  return {
    name: `clock-${name}`,
    layer: 'clock',
    fault,
    async start(stand) {
      const replica = firstOf(stand);
      await replica.setClock(aheadMs);
      return {
        end: async () => {
          await replica.setClock(0);
          await hasSlept(100);
        },
      };
    },
    conditions: ['ClockInSync'],
    alerts: ['QuaysideClockOff'],
  };
}

/** The wall clock of one replica; timers go on. */
export const clockDrills: readonly Drill[] = [
  clock('ahead', 'the clock of one replica is a day ahead', dayMs),
  clock('behind', 'the clock of one replica is a day behind', -dayMs),
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
