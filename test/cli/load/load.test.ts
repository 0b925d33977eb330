import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { run } from '../../../src/cli/commands/run.ts';
import { duration, url } from '../../../src/cli/flags/values.ts';
import { span, speed } from '../../../src/cli/pages/load.ts';
import { parseLoadResult } from '../../../src/load/result-file.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';

const short = ['--rate', '100', '--duration', '200ms', '--spacing', 'even', '--client', 'plain'];

test('a load seeds a registry, pulls from it and writes its report', async (t) => {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  const output = `${t.testdir({})}/load.json`;
  const model = ['--images', '2', '--layers', '2', '--sizes', '2kB'];
  const io = recordedIo();
  const args = ['load', '--seed', registry.url, '--target', registry.url, ...model, ...short, '-o', output];
  t.equal(await run(args, io), 0, io.err());
  t.match(io.err(), /has 2 images of the model/);
  const result = parseLoadResult(await readFile(output, 'utf8'));
  t.match(result.work, { due: 19, finished: 19, failed: 0 });
  t.equal(result.bytes.verified, result.bytes.received);
  t.match(io.out(), /19 due, 19 finished/);
  t.match(result.settings, { rate: 100, sizes: /2000/ });
  t.notOk('output' in result.settings);
});

test('a wrong byte, --max-errors and --max-p99 end with 1, and say why', async (t) => {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  const { layers } = registry.addImage('team/app', 'v1', { layers: [3_000] });
  const images = `${t.testdir({ images: 'team/app:v1\nteam/app:missing\n' })}/images`;
  const args = ['load', '--target', registry.url, '--images', images, ...short];
  const late = recordedIo();
  t.equal(await run([...args, '--max-errors', '0', '--max-p99', '1ms'], late), 1);
  t.match(late.out(), /more than the 1 ms of --max-p99/);
  t.match(late.out(), /more than the 0 of --max-errors/);
  t.match(late.out(), /status 404/);
  registry.addBlob('team/app', Buffer.alloc(3_000), layers[0]?.digest);
  const wrong = recordedIo();
  t.equal(await run(args, wrong), 1);
  t.match(wrong.out(), /bytes were not those of their digests/);
  const unchecked = recordedIo();
  t.equal(await run([...args, '--no-verify'], unchecked), 0);
  t.match(unchecked.out(), /digests not checked/);
});

test('a target of others is refused, and so is a load without a target', async (t) => {
  const refused = async (...args: string[]) => {
    const io = recordedIo();
    t.equal(await run(['load', ...args], io), 2);
    return io.err();
  };
  t.match(
    await refused('--target', 'https://quay.io'),
    /quay\.io is not a private address.*--i-operate-this/,
  );
  t.match(await refused('--seed', 'https://quay.io'), /quay\.io is not a private address/);
  t.match(await refused(), /needs --target URL/);
  t.match(await refused('--target', 'x', '--moves', '1s'), /--moves needs --seed/);
  t.match(await refused('--target', 'x', '--rate', 'much'), /--rate must be a number, not much/);
  t.match(
    await refused('--target', 'x', '--ca', '/gone/ca.pem'),
    /--ca: \/gone\/ca\.pem cannot be read \(ENOENT\)/,
  );
});

test('the images of a catalog are loaded, and a registry without one says so', async (t) => {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  registry.addImage('team/app', 'v1');
  registry.addImage('team/app', 'v2');
  const io = recordedIo();
  const args = ['load', '--target', registry.url, '--images', 'catalog', '--zipf', '0', ...short];
  t.equal(await run([...args, '--repository', 'team/app'], io), 0, io.err());
  t.ok(registry.seen('/manifests/v1').length > 0 && registry.seen('/manifests/v2').length > 0);
  const bare = recordedIo();
  t.equal(await run(args, bare), 1);
  t.match(bare.err(), /GET \/v2\/_catalog: status 404/);
});

test('durations, speeds, numbers of layers and URLs are read with their units', async (t) => {
  t.same([duration('90s'), duration('1.5m'), duration('500ms')], [90_000, 90_000, 500]);
  t.same([speed('10x'), speed('0.5')], [10, 0.5]);
  t.same(
    [span('8'), span('4-12')],
    [
      [8, 8],
      [4, 12],
    ],
  );
  t.same(url('127.0.0.1:5000/'), 'http://127.0.0.1:5000');
  for (const wrong of [() => duration('5'), () => speed('x'), () => span('0'), () => url('ftp://a')])
    t.throws(wrong, /must be/);
});
