import assert from 'node:assert/strict';
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLoadResult } from '../../../src/load/result-file.ts';
import { freePort } from '../../support/program.ts';
import { command, quayside, upstreamName } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario } from '../scenario.ts';

const model = ['--images', '4', '--layers', '3', '--sizes', 'p0=1kB,p100=300kB'];
const pace = ['--rate', '15', '--nodes', '5', '--drain', '20s'];

/** `quayside load` on Quayside before docker-registry, and on docker-registry alone. */
export const load: Scenario = {
  name: 'load',
  needs: ['docker-registry'],
  async play(scene) {
    const { stage, fact } = scene;
    const upstream = await registry(scene);
    const port = await freePort();
    const front = await stage.start(
      process.execPath,
      [command, 'load', 'front', '--upstream', upstream.url, '--listen', `127.0.0.1:${port}`],
      { name: 'front' },
    );
    await front.listens(port);
    const counted = `http://127.0.0.1:${port}`;
    const proxy = await quayside(stage, { upstream: counted });
    const run = (...args: string[]) =>
      stage.run(process.execPath, [command, 'load', ...args], { mayFail: true });
    const output = (name: string) => join(stage.directory, `${name}.json`);
    const resultOf = async (name: string) => parseLoadResult(await readFile(output(name), 'utf8'));
    const mirror = ['--target', proxy.url, '--mirror-of', upstreamName, '--mirror-by', 'path'];

    await fact(
      'two processes load a cache, and each distinct byte comes from the upstream once',
      async () => {
        const args = ['--seed', upstream.url, '--front', counted, '--processes', '2', '--duration', '3s'];
        const { code, stderr } = await run(...mirror, ...model, ...pace, ...args, '-o', output('cold'));
        assert.equal(code, 0, stderr);
        const { work, bytes, upstream: traffic, latencies, generator } = await resultOf('cold');
        assert.equal(work.finished, work.due);
        assert.ok(work.due > 20, `${work.due} due`);
        assert.equal(bytes.verified, bytes.received);
        assert.equal(generator.processes, 2);
        const classes = new Set(latencies.map((each) => each.class));
        assert.ok(
          classes.has('fill') && (classes.has('memory') || classes.has('store')),
          [...classes].join(),
        );
        const { amplification = 0 } = traffic ?? {};
        assert.ok(amplification > 0.95 && amplification < 1.05, `amplification ${amplification}`);
      },
    );
    await fact('docker-registry alone, untuned, is loaded in the same way', async () => {
      const args = ['--target', upstream.url, '--client', 'containerd', '--duration', '2s'];
      const { code, stderr } = await run(...args, ...model, ...pace, '-o', output('alone'));
      assert.equal(code, 0, stderr);
      const { work, latencies } = await resultOf('alone');
      assert.equal(work.finished, work.due);
      assert.deepEqual(new Set(latencies.map((each) => each.class)), new Set(['none']));
    });
    await fact('the two are compared as a table', async () => {
      const { stdout } = await run('compare', output('cold'), output('alone'));
      assert.match(stdout, /\| alone/);
    });
    await fact("Quayside's own log is made again ten times as fast", async () => {
      const trace = join(stage.directory, 'trace.log');
      await writeFile(trace, await proxy.output());
      const args = ['--target', proxy.url, '--trace', trace, '--speed', '10x'];
      const { code, stderr } = await run(...args, '-o', output('trace'));
      assert.equal(code, 0, stderr);
      const { work, end, durationMs } = await resultOf('trace');
      assert.equal(end, 'trace');
      assert.ok(work.finished > 100, `${work.finished} finished`);
      assert.ok(durationMs < 15_000, `${durationMs} ms`);
    });
    await fact('a blob with a wrong byte ends the load with 1, and is named', async () => {
      const damaged = await damage(upstream.folder);
      const args = ['--target', upstream.url, '--client', 'plain', '--zipf', '0', '--duration', '2s'];
      const { code, stdout } = await run(...args, ...model, ...pace, '-o', output('wrong'));
      assert.equal(code, 1, stdout);
      const { wrongContent } = await resultOf('wrong');
      assert.ok(wrongContent.some(({ digest }) => digest === `sha256:${damaged}`));
    });
  },
};

/** Turns one bit of the largest blob of a registry's folder. Resolves to its digest, in hex. */
async function damage(folder: string): Promise<string> {
  const files = (await readdir(folder, { recursive: true })).filter((name) =>
    /blobs\/sha256\/.*\/data$/.test(name),
  );
  const sized = await Promise.all(
    files.map(async (name) => ({ name, size: (await stat(join(folder, name))).size })),
  );
  const largest = sized.toSorted((left, right) => right.size - left.size)[0];
  assert.ok(largest);
  const file = await open(join(folder, largest.name), 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, 100);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 100);
  await file.close();
  return largest.name.split('/').at(-2) ?? '';
}
