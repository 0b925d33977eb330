import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Fork, WorkerEnd } from '../../src/workers/forks.ts';
import type { ReadyFacts, ToPrimary, ToWorker, Welcome } from '../../src/workers/messages.ts';
import { Primary } from '../../src/workers/primary.ts';
import { createManualClock } from '../support/manual-clock.ts';

/** A worker's process as its primary sees it, which says and does what the test tells it to. */
export interface ForkedDouble {
  /** What it was told, in order. */
  readonly told: ToWorker[];
  readonly output: PassThrough;
  readonly killed: string[];
  welcome(): Welcome | undefined;
  say(message: ToPrimary): void;
  /** Says hello, and that it serves. */
  serve(facts?: Partial<ReadyFacts>): Promise<void>;
  end(end?: Partial<WorkerEnd>): Promise<void>;
}

const facts = { address: '127.0.0.1:8400', degraded: [] };

/** A primary over such processes, with a clock of the test's own. */
export function primaryRig(count: number) {
  const forks: ForkedDouble[] = [];
  const clock = createManualClock();
  const events: (readonly [name: string, event: unknown])[] = [];
  const lines: string[] = [];
  const metrics = { taken: [] as unknown[], ended: [] as number[] };
  const fork: Fork = () => {
    const heard: ((message: ToPrimary) => void)[] = [];
    const gone: ((end: WorkerEnd) => void)[] = [];
    const double: ForkedDouble = {
      told: [],
      output: new PassThrough(),
      killed: [],
      welcome: () => double.told.flatMap((each) => (each.kind === 'welcome' ? [each.welcome] : []))[0],
      say: (message) => {
        for (const each of heard) each(message);
      },
      async serve(more = {}) {
        double.say({ kind: 'hello' });
        double.say({ kind: 'ready', facts: { ...facts, ...more } });
        await turn();
      },
      async end(end = {}) {
        for (const each of gone) each({ code: 0, signal: null, ...end });
        await turn();
      },
    };
    forks.push(double);
    return {
      pid: 1000 + forks.length,
      output: double.output,
      send: (message) => void double.told.push(message),
      kill: (signal) => void double.killed.push(signal),
      onMessage: (each) => void heard.push(each),
      onExit: (each) => void gone.push(each),
    };
  };
  const primary = new Primary({
    fork,
    clock,
    common: { count, started: 'first', directory: '/run', key: 'k', tokenSecret: 's', instance: 'i' },
    metrics: {
      taken: (worker, value) => void metrics.taken.push([worker, value]),
      ended: (worker) => void metrics.ended.push(worker),
      text: async () => 'the page',
      exemplars: () => [],
    },
    events: {
      workerReady: (event) => events.push(['ready', event]),
      workerLate: (event) => events.push(['late', event]),
      workerHung: (event) => events.push(['hung', event]),
      workerEnded: (event) => events.push(['ended', event]),
      dutyPassed: (event) => events.push(['duty', event]),
      servingChanged: (serving) => events.push(['serving', serving]),
    },
    output: { write: (text) => lines.push(text) },
  });
  const at = (index: number): ForkedDouble => {
    const found = forks[index];
    if (found === undefined) throw new Error(`there is no process ${index}`);
    return found;
  };
  return { primary, forks, at, clock, events, lines, metrics };
}

/** Two workers that serve. */
export async function servingRig(count = 2) {
  const rig = primaryRig(count);
  const begun = rig.primary.start(new AbortController().signal);
  await rig.at(0).serve();
  for (let index = 1; index < count; index += 1) await rig.at(index).serve();
  await begun;
  return rig;
}
