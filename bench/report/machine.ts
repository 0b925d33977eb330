import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { promisify } from 'node:util';
import { builtBefore } from '../../test/e2e/go-programs.ts';
import { findProgram } from '../servers/programs.ts';

/** What the figures were taken on: they mean nothing without. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGigabytes: number;
  readonly system: string;
  /** The load of the last minute before the run: more than 0.5 and something else was at work. */
  readonly loadBefore: number;
  /** `ram` when the bench kept its files in memory. */
  readonly files: 'ram' | 'disk';
  readonly node: string;
  /** Git's short hash, with a `+` when the tree had changes. */
  readonly commit: string;
  /** Versions of the programs that were found. */
  readonly programs: Readonly<Record<string, string>>;
}

const run = promisify(execFile);
const tmpfs = 0x01021994;

/** Looks at the machine; whatever cannot be told is `unknown`. */
export async function machine(directory: string): Promise<Machine> {
  const [processor] = cpus();
  const programs = {
    'docker-registry': await version('docker-registry', ['--version'], /distribution (\S+)/),
    distribution: await versionOf(builtBefore('distribution'), ['--version'], /v?(\d\S+)\s*$/),
    nginx: await version('nginx', ['-v'], /nginx\/(\S+)/),
    skopeo: await version('skopeo', ['--version'], /version (\S+)/),
    wrk: await version('wrk', ['--version'], /wrk (?:debian\/)?(\S+)/),
  };
  return {
    cores: cpus().length,
    processor: processor?.model ?? 'unknown',
    memoryGigabytes: Math.round(totalmem() / 1e9),
    system: `${type()} ${release()}`,
    loadBefore: loadNow(),
    files: (await statfs(directory)).type === tmpfs ? 'ram' : 'disk',
    node: process.version,
    commit: await commit(),
    programs: Object.fromEntries(Object.entries(programs).filter(([, found]) => found !== 'absent')),
  };
}

/** The load of the last minute. */
export function loadNow(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

async function version(name: string, args: readonly string[], shape: RegExp): Promise<string> {
  return versionOf(findProgram(name), args, shape);
}

async function versionOf(path: string | undefined, args: readonly string[], shape: RegExp): Promise<string> {
  if (path === undefined) return 'absent';
  const text = await output(path, args);
  return shape.exec(text)?.[1] ?? 'unknown';
}

async function commit(): Promise<string> {
  const git = async (...args: readonly string[]): Promise<string> =>
    (await run('git', args, { cwd: import.meta.dirname })).stdout.trim();
  try {
    const hash = await git('rev-parse', '--short', 'HEAD');
    const changes = await git('status', '--porcelain', '--', ':/src', ':/bin', ':/package-lock.json');
    return `${hash}${changes === '' ? '' : '+'}`;
  } catch {
    return 'unknown';
  }
}

/** Both outputs, also of programs that end with an error when asked for their version. */
async function output(command: string, args: readonly string[]): Promise<string> {
  const result = await run(command, args).catch((error: { stdout?: string; stderr?: string }) => error);
  return `${result.stdout ?? ''}${result.stderr ?? ''}`;
}
