import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { mirroring } from '../../../src/cli/mirror/mirror.ts';
import { type RegistryDouble, registryDouble } from '../../support/registry-double.ts';
import { type RecordedIo, recordedIo } from '../io.ts';

/** What one run said. */
interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Two registries, a directory between them, and the command. */
interface MirrorRig {
  readonly from: RegistryDouble;
  readonly to: RegistryDouble;
  readonly dir: string;
  /** With plain HTTP, in the directory, and short pauses. */
  run(...args: string[]): Promise<Ran>;
  /** The same with surroundings of the test's own. */
  runIn(io: RecordedIo, ...args: string[]): Promise<Ran>;
  /** Writes a file into the directory, and resolves to its path. */
  file(name: string, ...lines: string[]): Promise<string>;
}

export async function mirrorRig(t: Test): Promise<MirrorRig> {
  const [from, to] = await Promise.all([registryDouble(), registryDouble()]);
  t.teardown(() => Promise.all([from.close(), to.close()]));
  const dir = t.testdir({ 'auth.json': '{}' });
  const mirror = mirroring({ firstPauseMs: 1, longestPauseMs: 5, random: () => 0 });
  async function runIn(io: RecordedIo, ...args: string[]): Promise<Ran> {
    const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json'), ...io.env };
    const code = await mirror(['--insecure', '--dir', dir, ...args], { ...io, env });
    return { code, out: io.out(), err: io.err() };
  }
  return {
    from,
    to,
    dir,
    runIn,
    run: (...args) => runIn(recordedIo(), ...args),
    async file(name, ...lines) {
      const path = join(dir, name);
      await writeFile(path, `${lines.join('\n')}\n`);
      return path;
    },
  };
}
