import type { DrillDisk } from '../stand/machine.ts';
import type { DrillStand } from '../stand/stand.ts';
import { samplesOf } from './evidence.ts';
import { firstOf } from './machine.ts';
import type { Drill } from './table.ts';

const lacksDisk = ({ disk }: DrillStand): string | undefined =>
  disk.trouble === undefined ? 'a file system cannot be mounted here: run it as root, on Linux' : undefined;

/** What a replica counts of a disk that takes nothing. */
const refusals = {
  names: ['quayside_fills_not_kept_total', 'quayside_store_failures_total'],
  values: ['disk-full', 'unwritable', 'denied'],
};

type DiskTrouble = NonNullable<DrillDisk['trouble']>;

interface DiskRow extends Pick<Drill, 'name' | 'fault' | 'conditions' | 'alerts'> {
  readonly begin: (trouble: DiskTrouble) => Promise<void>;
  readonly end: (trouble: DiskTrouble) => Promise<void>;
}

function diskDrill({ begin, end, ...row }: DiskRow): Drill {
  return {
    layer: 'disk',
    lacks: lacksDisk,
    async start(stand) {
      const replica = firstOf(stand);
      const { trouble } = stand.disk;
      if (trouble === undefined) throw new Error('the disk cannot be troubled');
      const before = (await samplesOf(replica, refusals)) ?? 0;
      await begin(trouble);
      return {
        end: () => end(trouble),
        met: async () => ((await samplesOf(replica, refusals)) ?? before) - before,
      };
    },
    ...row,
  };
}

/** Of the replica with a disk before its bucket, and its spool there. */
export const diskDrills: readonly Drill[] = [
  diskDrill({
    name: 'disk-full',
    fault: 'the disk of one replica is full',
    begin: (trouble) => trouble.fill(),
    end: (trouble) => trouble.empty(),
    conditions: ['SpoolUsable', 'DiskUsable'],
    alerts: ['QuaysideDiskFilling', 'QuaysideSpoolUnusable', 'QuaysideDiskUnusable'],
  }),
  diskDrill({
    name: 'disk-read-only',
    fault: 'the disk of one replica is read-only',
    begin: (trouble) => trouble.setReadOnly(true),
    end: (trouble) => trouble.setReadOnly(false),
    conditions: ['SpoolUsable', 'DiskUsable'],
    alerts: ['QuaysideSpoolUnusable', 'QuaysideDiskUnusable'],
  }),
];
