/**
 * One instance of a mirror, as a process to be killed: `node takeover-worker.ts DIRECTORY PORT
 * NAME`.
 */
import { once } from 'node:events';
import { access, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createLease } from '../../../src/lease/lease.ts';
import { createRecordLease } from '../../../src/lease/record.ts';
import { mirrorLoop } from '../../../src/mirror/loop/loop.ts';
import { createQueue } from '../../../src/mirror/queue/queue.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';

const [directory, port = '', holder = ''] = process.argv.slice(2);
// Run with all other files of its folder it would keep its leases in whatever directory that was.
if (directory === undefined) throw new Error('usage: takeover-worker.ts DIRECTORY PORT NAME');
const { records } = createFilesystemStore({ path: join(directory, 'store') });
const image = { digest: parseDigest(`sha256:${'a'.repeat(64)}`), size: 1 };

/** What a registry would hold is a file. */
const fileOf = (pullSpec: string) => join(directory, 'copied', encodeURIComponent(pullSpec));

async function isCopied(pullSpec: string): Promise<boolean> {
  return await access(fileOf(pullSpec)).then(
    () => true,
    () => false,
  );
}

/** While it works it is connected: the kernel knows when it is dead. */
async function work(signal: AbortSignal): Promise<void> {
  const line = connect(Number(port), '127.0.0.1');
  await once(line, 'connect');
  line.write(`holder ${holder}\n`);
  try {
    await mirrored(line, signal);
  } catch (error) {
    // Told to stop while it loads. A connection that stayed would keep the process for ever.
    line.destroy();
    throw error;
  }
  line.end('bye\n');
  await once(line, 'close');
}

async function mirrored(line: Socket, signal: AbortSignal): Promise<void> {
  const tasks = createQueue({ records: createTaskRecords({ records }), places: 2 });
  await tasks.load(signal);
  await mirrorLoop(
    {
      queue: tasks,
      look: {
        stat: async (pullSpec) =>
          pullSpec.text.startsWith('source') || (await isCopied(pullSpec.text)) ? image : undefined,
        amd64: async () => undefined,
      },
      async copy({ destination }) {
        await delay(25, undefined, { signal });
        await writeFile(fileOf(destination.text), '', { flag: 'wx' });
        line.write(`copied ${destination.text}\n`);
        return undefined;
      },
      // What a predecessor copied and could not say any more.
      tell: (what, fields) => {
        if (what === 'upToDate') line.write(`found ${fields?.['target']}\n`);
      },
      events: { imageMirrored: () => {} },
    },
    signal,
  );
  await tasks.close();
}

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const turn = createLease({
  name: 'mirror',
  medium: createRecordLease(records, { name: 'mirror' }),
  holder,
  ttlMs: 2000,
});
while (!stop.signal.aborted) await turn.held(work, { signal: stop.signal }).catch(() => {});
