import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { pruningTags } from '../../../src/cli/prune/tags.ts';
import { createHolds } from '../../../src/mirror/queue/holds.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { until } from '../../support/program.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';

const repository = 'openshift/ci';
const now = Date.parse('2026-11-29T12:00:00Z');
const old = '20261120000000_prune_ocp_4.20_cli';
const young = '20261124120000_prune_ocp_4.20_cli';
const broken = '20261119000000_prune_ocp_4.20_cli_broken';
const mirrored = '20261118000000_prune___ci_images_mirror__ci_tool_latest';

/** A registry with floats and what was kept of them, settings with a store, and the command. */
async function pruneRig(t: Test) {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  const dir = t.testdir({ 'auth.json': '{}' });
  const add = (tag: string, size: number) => registry.addImage(repository, tag, { layers: [size] }).digest;
  const digests = {
    cli: add('ocp_4.20_cli', 10),
    old: add(old, 20),
    young: add(young, 30),
    broken: add(broken, 40),
    mirrored: add(mirrored, 50),
  };
  for (const [index, other] of ['ci_tool_latest', '20241399000000_prune_x', '2024_prune_x', 'zz'].entries())
    add(other, 60 + index);
  const config = join(dir, 'quayside.yaml');
  await writeFile(config, `store: { filesystem: { path: ${dir}/store } }\n`);
  const place = `${registry.host}/${repository}`;
  const store = createFilesystemStore({ path: join(dir, 'store') });
  t.teardown(() => store.close());
  async function runIn(io: ReturnType<typeof recordedIo>, ...args: string[]) {
    const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
    const words = ['--insecure', '--no-streams', '--config', config, ...args, place];
    const code = await pruningTags(() => now)(words, { ...io, env });
    return { code, out: io.out(), err: io.err() };
  }
  return {
    ...{ registry, dir, digests, runIn, config, place, store, add },
    run: (...args: string[]) => runIn(recordedIo(), ...args),
    tag: (name: string) => registry.tagOf(repository, name),
    writes: () => registry.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method)),
  };
}

test('without --confirm the plan is told and nothing is changed', async (t) => {
  const { run, digests, writes } = await pruneRig(t);
  const { code, out, err } = await run();
  t.equal(code, 0, err);
  t.match(out, `Would have removed ${old} (${digests.old}): 9 days old`);
  t.match(out, `Would have removed ${broken} (${digests.broken}): 10 days old`);
  t.match(out, `Would have removed ${mirrored} (${digests.mirrored}): 11 days old`);
  t.match(out, 'Tags targeted for pruning: 3\nDry run: nothing was deleted. Add --confirm to delete\n');
  t.match(await run('-o', 'table'), { code: 0, out: 'Tags targeted for pruning: 3\n' });
  t.same(writes(), []);
});

test('with --confirm old tags are deleted by name, and nothing else is', async (t) => {
  const { run, tag, digests, registry } = await pruneRig(t);
  const { code, out, err } = await run('--confirm');
  t.equal(code, 0, err);
  for (const each of [old, broken, mirrored]) t.equal(tag(each), undefined);
  for (const each of [
    'ocp_4.20_cli',
    young,
    'ci_tool_latest',
    '20241399000000_prune_x',
    '2024_prune_x',
    'zz',
  ])
    t.ok(tag(each), each);
  t.match(out, `Successfully deleted ${old} (${digests.old}): 9 days old`);
  t.match(out, 'Deleted 3 objects out of 3. Failed to delete 0 objects.');
  t.notOk(registry.requests.some(({ method, path }) => method === 'DELETE' && path.includes('sha256:')));
});

test('the sixth day is the first one that --ttl-days 5 deletes, and -1 deletes all', async (t) => {
  const { run, add } = await pruneRig(t);
  add('20261123120000_prune_exact', 1);
  add('20261123120001_prune_second', 2);
  const { out } = await run();
  t.match(out, 'Would have removed 20261123120000_prune_exact');
  t.notMatch(out, '20261123120001_prune_second');
  t.match((await run('--ttl-days=-1')).out, `Would have removed ${young}`);
  t.match(await run('--ttl-days', '60'), { code: 0, out: /targeted for pruning: 0/ });
});

test('a deletion costs three requests: the plan, the look right before it, and itself', async (t) => {
  const { run, registry } = await pruneRig(t);
  await run('--confirm');
  const asked = registry.requests.filter(({ path }) => path.endsWith(`/manifests/${old}`));
  t.same(
    asked.map(({ method }) => method),
    ['HEAD', 'HEAD', 'DELETE'],
  );
});

test('a failing deletion is of its tag alone, and is tried again with -f', async (t) => {
  const { run, tag, registry, dir } = await pruneRig(t);
  registry.switches.failsDelete = (reference) => (reference === old ? 500 : undefined);
  const failed = join(dir, 'failed');
  const { code, out, err } = await run('--confirm', '--failed-file', failed);
  t.equal(code, 1);
  t.match(err, `error: cannot delete ${old}: `);
  t.match(out, 'Deleted 2 objects out of 3. Failed to delete 1 objects.');
  t.ok(tag(old));
  t.equal(tag(broken), undefined);
  t.match(await readFile(failed, 'utf8'), new RegExp(`^# .*500.*\n${old}\n$`));
  registry.switches.failsDelete = () => undefined;
  const again = await run('--confirm', '-f', failed, '--failed-file', failed);
  t.match(again, { code: 0, out: /Deleted 1 objects out of 1\. Failed to delete 0 objects\./ });
  t.equal(await readFile(failed, 'utf8'), '');
});

test('-f deletes no tag that the rules keep', async (t) => {
  const { run, tag, dir, writes } = await pruneRig(t);
  await writeFile(join(dir, 'names'), `ocp_4.20_cli\n${young}\n`);
  t.match(await run('--confirm', '-f', join(dir, 'names')), {
    code: 0,
    out: /Kept ocp_4\.20_cli: the rules/,
  });
  t.ok(tag('ocp_4.20_cli') && tag(young));
  t.same(writes(), []);
});

test('while a tag is held, all that was kept of it stays', async (t) => {
  const { run, tag, store, place } = await pruneRig(t);
  await createHolds({ records: store.records }).put({ destination: `${place}:ocp_4.20_cli`, since: 1 });
  const { out } = await run('--confirm');
  t.match(out, `Kept ${old}: a hold is on ocp_4.20_cli`);
  t.match(out, `Kept ${broken}: a hold is on ocp_4.20_cli`);
  t.ok(tag(old) && tag(broken));
  t.equal(tag(mirrored), undefined);
});

test('a tag that changes between plan and deletion stays', async (t) => {
  const { run, tag, registry, add } = await pruneRig(t);
  const push = registry.requests.push.bind(registry.requests);
  let heads = 0;
  registry.requests.push = (...records) => {
    for (const { method, path } of records)
      if (method === 'HEAD' && path.endsWith(`/${old}`) && ++heads === 2) add(old, 99);
    return push(...records);
  };
  const { out } = await run('--confirm');
  t.match(out, new RegExp(`Kept ${old}: it was sha256:\\w+, and is sha256:`));
  t.ok(tag(old));
});

test('what cannot be read stays, and the run ends with 1', async (t) => {
  const { run, registry, tag } = await pruneRig(t);
  registry.switches.status = { of: `manifests/${old}` as 'manifests', code: 503 };
  const { code, out } = await run('--confirm');
  t.equal(code, 1);
  t.match(out, `Kept ${old}: ${old} cannot be read`);
  t.ok(tag(old));
  t.equal(tag(broken), undefined);
  registry.switches.status = { of: 'tags', code: 403 };
  t.match(await run('--confirm'), { code: 1, err: /cannot read tags of .*so all that it may need stays/ });
});

test('a registry that lists in an order of its own is listed whole', async (t) => {
  const { run, registry, tag } = await pruneRig(t);
  registry.switches.reversesTags = true;
  registry.switches.ignoresPageSize = true;
  t.match(await run('--confirm'), { code: 0, out: /Deleted 3 objects out of 3/ });
  t.equal(tag(old), undefined);
  t.ok(tag(young));
});

test('429s slow the run down, and fail nothing', async (t) => {
  const { run, registry } = await pruneRig(t);
  registry.switches.throttlesEvery = 2.5;
  t.match(await run('--confirm'), { code: 0, out: /Deleted 3 objects out of 3/ });
});

test('without streams in the settings nothing is begun', async (t) => {
  const { config, place } = await pruneRig(t);
  await t.rejects(
    pruningTags(() => now)(['--config', config, place], recordedIo()),
    /no cluster of --config has streams/,
  );
});

test('a signal ends the run, and the next one goes on', async (t) => {
  const { runIn, run, registry, tag } = await pruneRig(t);
  const stop = new AbortController();
  const push = registry.requests.push.bind(registry.requests);
  registry.requests.push = (...records) => {
    if (records.some(({ method }) => method === 'DELETE')) stop.abort(new Error('SIGTERM'));
    return push(...records);
  };
  t.match(await runIn(recordedIo(stop.signal), '--confirm', '--max-per-registry', '1'), { code: 143 });
  t.match(await run('--confirm'), { code: 0 });
  for (const each of [old, broken, mirrored]) t.equal(tag(each), undefined);
});

test('JSON lines tell each object and the sums', async (t) => {
  const { run } = await pruneRig(t);
  const lines = (await run('--confirm', '-o', 'json')).out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.same(
    lines
      .filter(({ outcome }) => outcome === 'deleted')
      .map(({ id }) => id)
      .sort(),
    [mirrored, broken, old],
  );
  t.match(lines.at(-1), { summary: { planned: 3, deleted: 3, failed: 0 } });
});

test('with --every runs follow each other until a signal, and their metrics are served', async (t) => {
  const { runIn, tag } = await pruneRig(t);
  const stop = new AbortController();
  const io = recordedIo(stop.signal);
  const ended = runIn(io, '--confirm', '--every', '1h', '--metrics', '127.0.0.1:0');
  await until('the run ends', () => io.out().includes('Deleted 3 objects'));
  const [, url = ''] = /metrics are at (\S+)/.exec(io.err()) ?? [];
  await until('the run counts', async () => {
    const text = await (await fetch(url)).text();
    return text.includes('quayside_prune_runs_total{outcome="done"} 1');
  });
  const metrics = await (await fetch(url)).text();
  t.match(metrics, 'quayside_prune_objects_total{outcome="deleted"} 3');
  t.match(metrics, /quayside_prune_last_run_seconds\{outcome="done"\} \d{10}/);
  t.equal((await fetch(url.replace('/metrics', '/healthz'))).status, 200);
  stop.abort(new Error('SIGTERM'));
  t.equal((await ended).code, 143);
  t.equal(tag(old), undefined);
});

test('another process that has the lease is let do', async (t) => {
  const { run, runIn, registry, writes } = await pruneRig(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  registry.switches.holds = promise;
  const first = runIn(recordedIo(), '--confirm');
  await until('the first one asks', () => registry.requests.length > 0);
  t.match(await run('--confirm'), { code: 1, err: /another process does this now/ });
  t.same(writes(), []);
  resolve();
  t.match(await first, { code: 0 });
});
