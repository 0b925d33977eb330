/**
 * `npm run demo`: a tour of what Quayside does for pulls; needs nothing but Node, and no network.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WriteStream } from 'node:tty';
import { demoImages } from './demo/images.ts';
import { progress } from './demo/progress.ts';
import { duration, type Row, size } from './demo/row.ts';
import { type Stage, type Step, steps } from './demo/steps.ts';
import { demoUpstream } from './demo/upstream.ts';
import { aligned } from './report/table.ts';
import { gigabit } from './servers/link.ts';
import { programs } from './servers/programs.ts';
import { quayside } from './servers/quayside.ts';

const freshMs = 3_000;

process.exitCode = await demo(process.stdout);

/** 0 when every step came out as it must. */
async function demo(out: WriteStream): Promise<number> {
  const started = performance.now();
  const directory = await mkdtemp(join(tmpdir(), 'quayside-demo-'));
  const running = programs(directory);
  const stop = (): void => process.exit(130);
  process.once('SIGINT', stop);
  try {
    const images = await demoImages();
    const upstream = await demoUpstream(gigabit);
    upstream.add('demo/app', 'v1', images.app);
    upstream.add('demo/model', 'v1', images.model);
    const ground = { programs: running, directory, upstream: upstream.origin };
    const { origin } = await quayside(ground, { repositories: ['demo/*'], tagsFreshMs: freshMs });
    out.write(`upstream  ${upstream.origin}  two images, 1 Gbit/s\nquayside  ${origin}  empty\n\n`);
    const rows = await tour({ origin, upstream, images, freshMs }, out);
    await upstream.die();
    const right = rows.filter(({ isRight }) => isRight).length;
    const took = duration(performance.now() - started);
    out.write(`\n${table(rows).join('\n')}\n\n${right} of ${rows.length} as they must be, in ${took}\n`);
    return right === rows.length ? 0 : 1;
  } finally {
    await running.stopAll();
    await rm(directory, { recursive: true, force: true });
    process.off('SIGINT', stop);
  }
}

async function tour(stage: Stage, out: WriteStream): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [index, step] of steps.entries()) {
    rows.push(await stop(step, `${index + 1}/${steps.length} ${step.what.padEnd(13)}`, stage, out));
  }
  return rows;
}

async function stop(step: Step, label: string, stage: Stage, out: WriteStream): Promise<Row> {
  const { upstream, images } = stage;
  const before = upstream.traffic();
  const shown = progress(out, { label, expected: step.expected(images), upstream: upstream.traffic });
  const outcome = await step.run(stage, shown.received);
  const after = upstream.traffic();
  const seen = { requests: after.requests - before.requests, bytes: after.bytes - before.bytes };
  const isRight = outcome.isRight && step.allows(seen, images);
  shown.done(`${isRight ? '✓' : '✗'} ${outcome.answer}`);
  return { what: step.what, asked: step.asked, ...outcome, upstream: seen, isRight };
}

function table(rows: readonly Row[]): readonly string[] {
  const head = ['', 'asked', 'answer', 'to clients', 'time', 'upstream asked', 'and sent'];
  const cells = rows.map((row) => [
    `${row.isRight ? '✓' : '✗'} ${row.what}`,
    row.asked,
    row.answer,
    size(row.bytes),
    duration(row.ms),
    times(row.upstream.requests),
    size(row.upstream.bytes),
  ]);
  const [top = '', ...lines] = aligned([head, ...cells], '   ', 3);
  return [top, '─'.repeat(top.length), ...lines];
}

function times(count: number): string {
  return ['never', 'once', 'twice'][count] ?? `${count} times`;
}
