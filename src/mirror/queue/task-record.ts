import { createHash } from 'node:crypto';
import { fieldsOf, isObject, jsonOrNone } from '../../base/text/json.ts';
import { failureClasses } from '../failure.ts';
import { type ImageReference, imageReferenceOrNone } from '../references/image-reference.ts';
import type { MirrorTask, Priority, QueuedTask } from './task.ts';

/** Keys of task records: one per destination. The first part is the layout's version. */
export const queuedPrefix = 'v1/tasks/queued/';
/** Where other processes leave tasks for the one that works. */
export const offeredPrefix = 'v1/tasks/offered/';

/** The number of the turn, for the next leader. */
export const turnKey = 'v1/tasks/turn';

/** Where the task for that destination lies. */
export function taskKey(destination: string): string {
  return queuedPrefix + createHash('sha256').update(destination).digest('hex');
}

/** What of a task survives the process: one that was running is one that waits. */
export function taskBytes(task: MirrorTask & Partial<QueuedTask>): Uint8Array {
  return Buffer.from(JSON.stringify(keptOf(task)));
}

function keptOf(task: MirrorTask & Partial<QueuedTask>) {
  const {
    attempts: _attempts,
    doubts: _doubts,
    state,
    notBefore,
    source,
    destination,
    backup,
    ...rest
  } = task;
  const kept = {
    source: source.text,
    destination: destination.text,
    ...rest,
    ...(backup === undefined ? {} : { backup: backup.text }),
  };
  return state === 'parked' ? { ...kept, state, notBefore } : kept;
}

/** The writer's mark: unique for each write, for media whose versions are digests of the bytes. */
interface Mark {
  readonly turn: number;
  readonly write: number;
}

/** A record up to this size is the trace of a finished task; the size alone says so. */
export const longestTrace = 64;

/** The task, marked; without one the trace of what is done. */
export function recordBytes(task: (MirrorTask & Partial<QueuedTask>) | undefined, mark: Mark): Uint8Array {
  return Buffer.from(JSON.stringify(task === undefined ? mark : { ...keptOf(task), ...mark }));
}

/** The turn that wrote it; 0 when none did. */
export function turnIn(bytes: Uint8Array): number {
  return numberOf(fieldsOf(jsonOrNone(bytes))['turn']);
}

/** The task in a record; undefined for an unparsable one, perhaps of another version. */
export function parseTask(bytes: Uint8Array): QueuedTask | undefined {
  const fields = fieldsOf(jsonOrNone(bytes));
  const [source, destination] = [imageOf(fields['source']), imageOf(fields['destination'])];
  const owner = fields['owner'];
  if (source === undefined || destination === undefined || typeof owner !== 'string') return undefined;
  const backup = imageOf(fields['backup']);
  if (backup === undefined && typeof fields['backup'] === 'string') return undefined;
  const failure = failureOf(fields['failure']);
  return {
    source,
    destination,
    owner,
    priority: priorityOf(fields['priority']),
    createdAt: numberOf(fields['createdAt']),
    ...sourceTagOf(fields['sourceTagRef']),
    ...optionalText('sourceDigest', fields['sourceDigest']),
    ...optionalText('currentDigest', fields['currentDigest']),
    ...optionalText('cause', fields['cause']),
    ...(backup === undefined ? {} : { backup }),
    ...(typeof fields['stale'] === 'boolean' ? { stale: fields['stale'] } : {}),
    ...(fields['fills'] === true ? { fills: true } : {}),
    ...(failure === undefined ? {} : { failure }),
    attempts: 0,
    doubts: 0,
    ...(fields['state'] === 'parked' && failure !== undefined
      ? { state: 'parked', notBefore: numberOf(fields['notBefore'], Number.POSITIVE_INFINITY) }
      : { state: 'waiting', notBefore: 0 }),
  };
}

function imageOf(value: unknown): ImageReference | undefined {
  return typeof value === 'string' ? imageReferenceOrNone(value) : undefined;
}

function failureOf(value: unknown): QueuedTask['failure'] {
  if (!isObject(value)) return undefined;
  const kind = failureClasses.find((each) => each === value['kind']);
  return kind && { kind, reason: String(value['reason']), at: numberOf(value['at']) };
}

function sourceTagOf(value: unknown): Pick<MirrorTask, 'sourceTagRef'> {
  if (!isObject(value)) return {};
  const { namespace, name, tag } = value;
  if (typeof namespace !== 'string' || typeof name !== 'string' || typeof tag !== 'string') return {};
  return { sourceTagRef: { namespace, name, tag } };
}

function optionalText<Key extends string>(key: Key, value: unknown): { readonly [Each in Key]?: string } {
  const found: { [Each in Key]?: string } = {};
  if (typeof value === 'string') found[key] = value;
  return found;
}

function priorityOf(value: unknown): Priority {
  return value === 'miss' || value === 'change' ? value : 'resync';
}

/** JSON has no infinite numbers: they come back as null. */
function numberOf(value: unknown, otherwise = 0): number {
  return typeof value === 'number' ? value : otherwise;
}
