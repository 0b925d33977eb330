/**
 * The entry point of a process that runs test files, one after the other, each when the parent
 * names it, and prints TAP with a line `# end of FILE` after each. What the files import is loaded
 * once. A file has QUAYSIDE_TEST_FILE_MS (default 120 s) of this process's own time, however busy
 * the machine is. It fails when it leaves anything behind that the next one would find: what keeps
 * a process alive, or another environment, working directory or listener of the process.
 */
import { once } from 'node:events';
import { Socket } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { t } from 'tap';
import { createOwnWatch } from '../support/own-watch.ts';
import { killRunning } from '../support/run-command.ts';

const fileMs = Number(process.env['QUAYSIDE_TEST_FILE_MS'] ?? 120_000);
const beatMs = 1_000;
/** What is being closed when a file ends may take this long, as an idle connection does. */
const leaveMs = 30_000;

// Now, so that what tap does to the process is not put down to a file.
t.pipe(process.stdout);
// Its own limit is 30 s by the clock.
t.setTimeout(0);
process.on('message', (file) => void run(String(file)));
// An end that is orderly even where a file left something running: what was compiled is kept for
// the next start.
process.on('disconnect', () => process.exit());
// That may be in the middle of a test, with `--bail`.
process.on('exit', killRunning);
process.channel?.ref();

async function run(file: string): Promise<void> {
  // A test that waits for what will never come ends the process, and tap says which one it was.
  process.channel?.unref();
  t.testdirName = resolve('.tap/fixtures', file.replaceAll('/', '-'));
  const ownMs = createOwnWatch();
  const beat = setInterval(() => {
    process.send?.('the loop runs');
    if (ownMs() > fileMs) t.setTimeout(1);
  }, beatMs).unref();
  const usage = process.cpuUsage();
  const before = state();
  await import(pathToFileURL(resolve(file)).href).catch((error: unknown) => t.threw(error));
  if (!t.idle) await once(t, 'idle');
  clearInterval(beat);
  t.setTimeout(0);
  const left = await leftSince(before);
  if (left.length > 0) t.fail('the file leaves nothing behind', { left, sockets: sockets() });
  const { user, system } = process.cpuUsage(usage);
  process.stdout.write(`# end of ${file} after ${Math.round((user + system) / 1_000)} ms\n`);
  process.channel?.ref();
}

/** What is not as it was, or is more than it was; empty once all is. */
async function leftSince(before: readonly string[]): Promise<string[]> {
  const deadline = performance.now() + leaveMs;
  for (;;) {
    const left = more(before, state());
    if (left.length === 0 || performance.now() > deadline) return left;
    await delay(5);
  }
}

/** What one file could do to the next one, a line each. */
function state(): string[] {
  return [
    ...process.getActiveResourcesInfo(),
    ...process.eventNames().map((name) => `${process.listenerCount(name)} listeners for ${String(name)}`),
    ...Object.entries(process.env).map(([name, value]) => `${name}=${value}`),
    process.cwd(),
  ];
}

/** Where the open sockets lead: one of them was left. */
function sockets(): string[] {
  const handles: unknown = Reflect.get(process, '_getActiveHandles')?.call(process);
  return (Array.isArray(handles) ? handles : [])
    .filter((handle) => handle instanceof Socket)
    .map((socket: Socket) => {
      const { localPort, remotePort, bytesRead, bytesWritten, readyState } = socket;
      return `${localPort} to ${remotePort}, ${readyState}, read ${bytesRead}, wrote ${bytesWritten}`;
    });
}

/** The lines of `after` that `before` lacks, or has fewer of. */
function more(before: readonly string[], after: readonly string[]): string[] {
  const known = [...before];
  return after.filter((line) => {
    const index = known.indexOf(line);
    if (index >= 0) known.splice(index, 1);
    return index < 0;
  });
}
