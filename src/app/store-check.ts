import { rm } from 'node:fs/promises';
import { createDisk } from '../base/state/durable-file.ts';
import { oneLine } from '../base/text/one-line.ts';
import { diskOf } from '../config/config.ts';
import type { Config } from '../config/load.ts';
import { bytesOf } from '../oci/content.ts';
import { createTempFiles } from '../store/filesystem/temp-files.ts';
import type { Store, StoreEvents } from '../store/store.ts';

/** Whether store and spool can be used, in words for operators. */
export class StoreCheck {
  /** The events of the store, seen on their way. */
  readonly events: Pick<StoreEvents, 'called' | 'availabilityChanged' | 'usabilityChanged'>;
  readonly #config: Pick<Config, 'store' | 'spool'>;
  #failure: unknown;

  constructor(config: Pick<Config, 'store' | 'spool'>, events: StoreEvents) {
    this.#config = config;
    this.events = {
      called: (event) => events.called(event),
      availabilityChanged: (event) => events.availabilityChanged(event),
      usabilityChanged: (event) => {
        this.#failure = event.error;
        events.usabilityChanged?.(event);
      },
    };
  }

  /** What cannot be used now, each with its cause and what to do. */
  async faults(medium: Pick<Store, 'isUsable'>): Promise<readonly string[]> {
    const { store, spool } = this.#config;
    const isUsable = await medium.isUsable();
    const disk = diskOf({ store });
    const texts = [disk && (await diskFault(disk.path)), await spoolFault(spool.path)];
    return [
      ...(isUsable ? [] : [`${storePlace(store)} ${unwritableText(this.#failure)}`]),
      ...texts.filter((text) => text !== undefined),
    ];
  }
}

/** Where a store is, in words for operators. */
export function storePlace(store: Config['store']): string {
  if ('memory' in store) return 'the memory of the process';
  if ('filesystem' in store) return `the directory ${store.filesystem.path}`;
  const { bucket, endpoint, region } = store.s3;
  return `bucket ${bucket} at ${endpoint ?? `AWS ${region}`}`;
}

/** What is wrong with the spool's directory, by a small file that is written and deleted. */
export function spoolFault(directory: string): Promise<string | undefined> {
  return directoryFault('the spool directory', directory);
}

/** The same of the disk before the bucket. */
export function diskFault(directory: string): Promise<string | undefined> {
  return directoryFault('the directory of store.disk', directory);
}

async function directoryFault(what: string, directory: string): Promise<string | undefined> {
  const probe = createTempFiles(directory).newPath();
  try {
    await disk.writeNew(probe, bytesOf(Buffer.from('probe')));
    return undefined;
  } catch (error) {
    return `${what} ${directory} ${unwritableText(error)}`;
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

const disk = createDisk({
  failure: (_doing, error) => (error instanceof Error ? error : new Error(String(error))),
});

/** `cannot be written (EACCES: permission denied, …): ` and what to do. */
export function unwritableText(error: unknown): string {
  const cause = rootOf(error);
  const code = codeIn(cause) ?? codeIn(error) ?? 'no code';
  const text = cause instanceof Error ? cause.message : '';
  const quoted = text.startsWith(code) || text === '' ? text || code : `${code}: ${text}`;
  return `cannot be written (${oneLine(quoted, 200)})${storeAdvice(code)}`;
}

/** What to do about a failure of a disk or of S3; empty for an unknown one. */
export function storeAdvice(code: string): string {
  const advice = advices[code];
  return advice === undefined ? '' : `: ${advice}`;
}

const advices: Readonly<Record<string, string>> = {
  EACCES: 'give it to the user who runs Quayside, or name another one',
  EPERM: 'give it to the user who runs Quayside, or name another one',
  EROFS: 'its file system is mounted read-only',
  ENOSPC: 'free space on its disk, or name another one',
  EDQUOT: 'raise the quota of the user who runs Quayside',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a part of the path is a file',
  Forbidden: 'check accessKeyIdFile, secretAccessKeyFile and the policy of the bucket',
  AccessDenied: 'check the policy of the bucket, see docs/operating.md#s3',
  InvalidAccessKeyId: 'check accessKeyIdFile',
  SignatureDoesNotMatch: 'check secretAccessKeyFile',
  NoSuchBucket: 'correct bucket, or create it by quayside bucket ensure',
  ECONNREFUSED: 'check endpoint: no server listens there',
  ENOTFOUND: 'check the host name in endpoint',
};

function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  return root;
}

function codeIn(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
