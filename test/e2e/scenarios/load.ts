import assert from 'node:assert/strict';
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { parseLoadResult } from '../../../src/load/result-file.ts';
import { testAuthority } from '../../support/certificates.ts';
import { freePort, until } from '../../support/program.ts';
import { command, quayside, upstreamName } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

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
    await fact("a trace of IBM's registries is mapped onto the images that the target has", async () => {
      const trace = join(stage.directory, 'ibm.json');
      await writeFile(trace, JSON.stringify(ibmTrace(300)));
      const args = ['--target', upstream.url, '--trace', trace, '--map-trace', '--speed', '5x'];
      const { code, stderr } = await run(...args, ...model, '-o', output('ibm'));
      assert.equal(code, 0, stderr);
      const { work, bytes, errors } = await resultOf('ibm');
      assert.deepEqual([work.due, work.finished, errors.length], [300, 300, 0]);
      assert.equal(bytes.verified, bytes.received);
    });
    await fact('behind TLS of an own authority the target needs --ca, which the failure says', async () => {
      const { url, authority } = await behindTls(scene, Number(new URL(upstream.url).port));
      const target = ['--target', url, '--rate', '4', '--spacing', 'even', '--duration', '1s'];
      const without = await run(...target, ...model);
      assert.equal(without.code, 1);
      assert.match(without.stdout, /certificate: .*; --ca FILE names one/);
      const ca = ['--ca', authority];
      assert.equal((await run('--seed', url, ...ca, ...model)).code, 0);
      const { code, stderr } = await run(...target, ...ca, ...model, '-o', output('tls'));
      assert.equal(code, 0, stderr);
      assert.ok((await resultOf('tls')).bytes.verified > 0);
    });
    await fact('^C ends all generator processes, and the report has what was done', async () => {
      const args = [...model, ...pace, '--target', upstream.url, '--duration', '60s', '--processes', '3'];
      const program = await stage.start(process.execPath, [
        command,
        'load',
        ...args,
        '-o',
        output('stopped'),
      ]);
      await until('three generators run', async () => (await childrenOf(program.pid)).length === 3, 30_000);
      const children = await childrenOf(program.pid);
      await upstream.forget();
      await until('they ask', async () => (await upstream.asked()).length > 0, 30_000);
      assert.equal((await program.stop('SIGINT')).code, 130);
      const { end, work } = await resultOf('stopped');
      assert.equal(end, 'stopped');
      assert.ok(work.due > 0);
      for (const pid of children) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    });
    await fact('the search for a knee tells each step, and why it ended', async () => {
      const args = ['--target', upstream.url, '--rate', '4', '--find-knee', '--knee-steps', '2'];
      const { code, stderr } = await run(...args, ...model, '--duration', '1s', '-o', output('knee'));
      assert.equal(code, 0, stderr);
      const { knee } = await resultOf('knee');
      assert.ok(knee !== undefined && knee.steps.length > 0);
      assert.match(knee.end, /p99 doubled|2 steps found none|bottleneck/);
      assert.match(await readFile(output('knee').replace('.json', '.md'), 'utf8'), /^## Knee$/m);
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

/** Records in the form of IBM's traces: one every 20 ms, of seven repositories. */
function ibmTrace(count: number): readonly object[] {
  const name = (number: number) => number.toString(16).padStart(8, '0');
  const startMs = Date.parse('2017-08-01T00:00:00.000Z');
  return Array.from({ length: count }, (_, index) => {
    const isManifest = index % 3 === 0;
    const content = isManifest ? 'manifests' : 'blobs';
    return {
      timestamp: new Date(startMs + index * 20).toISOString(),
      'http.request.method': index % 11 === 0 ? 'HEAD' : 'GET',
      'http.request.uri': `v2/${name(index % 7)}/${name(index % 3)}/${content}/${name(index % 29)}`,
      'http.request.remoteaddr': name(index % 9),
      'http.request.duration': 0.01,
      'http.response.status': 200,
      'http.response.written': isManifest ? 1_500 : 1_000 * (1 + index),
    };
  });
}

/** A way to a port of loopback that ends TLS, with a certificate of an authority of its own. */
async function behindTls({ stage }: Scene, port: number) {
  const own = testAuthority();
  const server = createServer(own.issued(), (socket) => {
    const onward = connect({ port, host: '127.0.0.1' });
    for (const end of [socket, onward]) end.on('error', () => undefined);
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stage.defer(async () => void server.close());
  const authority = join(stage.directory, 'authority.pem');
  await writeFile(authority, own.cert);
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, authority };
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

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
