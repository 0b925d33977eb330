import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { promisify } from 'node:util';
import { fieldsOf, jsonOrNone } from '../../src/base/text/json.ts';
import { acceptManifests } from '../../src/oci/manifest.ts';
import { leaseKey } from '../../src/store/keys.ts';
import type { Lab } from '../lab.ts';
import type { LatencyAnswer, LatencyQuestion } from '../load/latency-process.ts';
import type { ContentAnswer, ContentQuestion } from '../scale/content-process.ts';
import type { Measure, Scenario } from '../scenario.ts';
import type { Server } from '../servers/server.ts';
import { type Worker, worker } from '../servers/worker.ts';
import { measured } from '../statistics.ts';
import { warmed, withServers } from './started.ts';

const connections = 16;
const perSecond = 1_000;
/** Each answer counts for the time with or without a run, so that windows are short. */
const windowMs = 500;
/** Longer than the grace that new content has. */
const ageSeconds = 7_200;
const longestMs = 120_000;

/** What clients of hot content notice of a walk over the store, a plan, and its deletions. */
export const eviction: Scenario = {
  name: 'eviction',
  title: 'HEAD by tag while the eviction walks the store and deletes',
  isLong: true,
  async run(lab) {
    const images = lab.form.isSmall ? 20_000 : 150_000;
    const pristine = join(lab.directory, 'evicted');
    const maker = worker<ContentQuestion, ContentAnswer>(
      new URL('../scale/content-process.ts', import.meta.url),
    );
    const asker = worker<LatencyQuestion, LatencyAnswer>(
      new URL('../load/latency-process.ts', import.meta.url),
    );
    try {
      lab.say(`storing ${2 * images} blobs`);
      await maker.ask({ path: pristine, images, ageSeconds }, 3_600_000);
      const samples: Sample[] = [];
      for (let round = 0; round < lab.form.rounds(1, 3); round += 1)
        samples.push(await roundOf(lab, asker, pristine));
      const by = new Map([['quayside', samples] as const]);
      const measures: readonly Measure[] = [
        measured('p99 without a run', 'ms', by, ({ without }) => p99(without)),
        measured('p99 during a run', 'ms', by, ({ during }) => p99(during)),
        measured('p99 during, ÷ without', '×', by, ({ during, without }) => p99(during) / p99(without)),
        measured('the run', 's', by, ({ seconds }) => seconds),
      ];
      const value = measures[2]?.values.quayside;
      return {
        measures,
        targets: [{ what: 'p99 during, ÷ without', value, sense: 'at most', bound: 2, unit: '×' }],
        notes: [
          `${2 * images} blobs, two hours old, all of which are to go: a count, a plan that reads each manifest, and the deletions. ${perSecond} requests a second over ${connections} connections, from when each was due.`,
          'On two cores the thread of the plan, the process, and the generator share them.',
        ],
      };
    } finally {
      maker.close();
      asker.close();
    }
  },
};

interface Sample {
  readonly during: readonly number[];
  readonly without: readonly number[];
  readonly seconds: number;
}

/** A server over a copy of the store, asked until a run has ended, and as long after it. */
async function roundOf(
  lab: Lab,
  asker: Worker<LatencyQuestion, LatencyAnswer>,
  pristine: string,
): Promise<Sample> {
  const path = `${pristine}-copy`;
  await promisify(execFile)('cp', ['-al', pristine, path]);
  const settings = { store: { filesystem: { path } }, eviction: { maxBytes: '1MiB', everyMs: '10s' } };
  try {
    const sample = await withServers(
      lab,
      ['quayside'],
      async ([server]) => server && sampled(lab, asker, server, path),
      { settings },
    );
    if (sample === undefined) throw new Error('Quayside did not start');
    return sample;
  } finally {
    await promisify(execFile)('rm', ['-rf', path]);
  }
}

async function sampled(
  lab: Lab,
  asker: Worker<LatencyQuestion, LatencyAnswer>,
  server: Server,
  path: string,
): Promise<Sample> {
  const { byTag } = lab.offer.manifest;
  await warmed(lab, server, byTag, lab.offer.image.root.descriptor.digest);
  const { origin } = server;
  const asked = { origin, path: byTag, headers: { accept: acceptManifests }, connections, perSecond };
  await asker.ask({ ...asked, durationMs: 3_000 });
  lab.say('asking until a run has ended');
  const [during, without]: [number[], number[]] = [[], []];
  let runMs = 0;
  let hasRun = false;
  for (const started = performance.now(); performance.now() - started < longestMs; ) {
    const before = await isRunning(path);
    const from = performance.now();
    const { latenciesMs } = await asker.ask({ ...asked, durationMs: windowMs });
    const isOn = await isRunning(path);
    if (before && isOn) during.push(...latenciesMs);
    if (before || isOn) runMs += performance.now() - from;
    if (!before && !isOn) without.push(...latenciesMs);
    hasRun ||= before || isOn;
    if (hasRun && !isOn && without.length >= Math.max(during.length, perSecond)) break;
    await after(1);
  }
  if (during.length === 0) throw new Error('no run was seen');
  return { during, without, seconds: runMs / 1000 };
}

/** Whether the job has a holder now. */
async function isRunning(path: string): Promise<boolean> {
  const bytes = await readFile(join(path, leaseKey('eviction'))).catch(() => undefined);
  const { holder } = fieldsOf(bytes && jsonOrNone(bytes));
  return typeof holder === 'string' && holder !== '';
}

function p99(latencies: readonly number[]): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}
