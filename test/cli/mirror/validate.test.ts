import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'tap';
import { validating } from '../../../src/cli/mirror/validate.ts';
import { CopyError } from '../../../src/mirror/failure.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { releaseFiles } from '../../mirror/test-inputs/release.ts';
import { listening } from '../../support/listening.ts';
import { recordedIo } from '../io.ts';

const old = `supplementalCIImages:
  ci/old:latest: {image: docker.io/library/old:v1}
`;
const file = `${old}  ci/new:latest: {image: quay.io/someone/new:v1}
  ci/hub:latest: {image: docker.io/library/hub:v1}
  ci/gone:latest: {image: quay.io/someone/gone:v1}
  ci/taken:latest: {image: quay.io/someone/new:v1}
  ci/short:latest: {image: docker://alpine:3}
`;
const there = ['quay.io/someone/new:v1', 'quay.io/openshift/ci:ci_taken_latest'];

async function run(directory: string, texts: Readonly<Record<string, string>>, args: readonly string[]) {
  for (const [name, text] of Object.entries(texts)) await writeFile(join(directory, name), text);
  const io = recordedIo();
  let closed = 0;
  const command = validating(async () => ({
    look: {
      async stat(spec) {
        if (spec.text.includes('silent')) throw new CopyError('unavailable', 'no answer: retrying later');
        return there.includes(spec.text) ? { digest: digestOf(Buffer.from(spec.text)), size: 1 } : undefined;
      },
      amd64: async () => undefined,
    },
    close: async () => {
      closed += 1;
    },
  }));
  const code = await command(
    args.map((word) => (word.endsWith('.yaml') ? join(directory, word) : word)),
    io,
  );
  return { code, closed, stdout: io.out(), stderr: io.err() };
}

test('what speaks against new entries is said, and old ones are not questioned', async (t) => {
  const { code, stderr, closed } = await run(t.testdir(), { 'new.yaml': file, 'old.yaml': old }, [
    '--config',
    'new.yaml',
    '--against',
    'old.yaml',
  ]);
  t.equal(code, 1);
  const json = await run(t.testdir(), { 'new.yaml': file, 'old.yaml': old }, [
    ...['--config', 'new.yaml', '--against', 'old.yaml', '-o', 'json'],
  ]);
  t.same(JSON.parse(json.stdout), { objections: stderr.trim().split('\n') });
  t.same(stderr.trim().split('\n'), [
    'source image docker.io/library/hub:v1 is from docker.io',
    'source image quay.io/someone/gone:v1 is not accessible',
    'target ci/taken:latest already exists in quay',
    'source image docker://alpine:3 is from docker.io',
  ]);
  t.equal(closed, 1);
});

test('a new entry is judged by what is in force elsewhere', async (t) => {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/in-force' ? 200 : 404;
    response.end(old);
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  const args = ['--config', 'a.yaml', '--against'];
  const { code } = await run(t.testdir(), { 'a.yaml': old }, [...args, `http://${host}/in-force`]);
  t.equal(code, 0);
  const gone = `http://${host}/gone`;
  await t.rejects(run(t.testdir(), { 'a.yaml': old }, [...args, gone]), {
    message: `${gone} answers with 404`,
  });
});

const targets = `supplementalCIImages:
  ci/tool:latest: {image: quay.io/someone/new:v1}
  ci/hub:latest: {image: docker.io/library/hub:v1}
`;

function inCheckout(configs: Readonly<Record<string, string>>, steps: Readonly<Record<string, string>> = {}) {
  return { release: releaseFiles(configs, steps) };
}

function releaseFlag(directory: string): readonly string[] {
  return ['--config', 'a.yaml', '--release-repo-git-sync-path', join(directory, 'release')];
}

test('a target that a configuration promotes is not overwritten', async (t) => {
  const directory = t.testdir(
    inCheckout({
      'a.yaml': 'promotion: {to: [{namespace: ci, tag: latest}]}\nimages: [{to: tool}, {to: hub}]',
    }),
  );
  const { code, stderr } = await run(directory, { 'a.yaml': targets }, releaseFlag(directory));
  t.equal(code, 1);
  t.same(stderr.trim().split('\n'), [
    'target ci/tool:latest would overwrite a promoted tag',
    'source image docker.io/library/hub:v1 is from docker.io',
    'target ci/hub:latest would overwrite a promoted tag',
  ]);
});

test('a configuration that cannot be read may promote anything', async (t) => {
  const directory = t.testdir(inCheckout({ 'bad.yaml': '[' }, { 'no-ref.yaml': 'nothing: {}' }));
  const sound = 'supplementalCIImages: {"ci/new:latest": {image: "quay.io/someone/new:v1"}}';
  const { code, stderr } = await run(directory, { 'a.yaml': sound }, releaseFlag(directory));
  t.equal(code, 1);
  t.match(stderr, /^cannot read what ci-operator\/config\/openshift\/thing\/bad\.yaml promotes: .+\n$/);
});

test('a folder that is no checkout is a mistake', async (t) => {
  const directory = t.testdir();
  const running = run(directory, { 'a.yaml': targets }, releaseFlag(directory));
  await t.rejects(running, { name: 'UsageError' });
  await t.rejects(running, /release is not a checkout of openshift\/release/);
});

test('a sound file is said to be valid', async (t) => {
  const sound = 'supplementalCIImages: {"ci/new:latest": {image: "quay.io/someone/new:v1"}}';
  const { code, stdout } = await run(t.testdir(), { 'a.yaml': sound }, ['--config', 'a.yaml']);
  t.equal(code, 0);
  t.equal(stdout, 'The config file is valid\n');
});

test('a registry that does not say is an objection', async (t) => {
  const silent = 'supplementalCIImages: {"ci/silent:latest": {image: "quay.io/x/silent:v1"}}';
  const { stderr } = await run(t.testdir(), { 'a.yaml': silent }, ['--config', 'a.yaml']);
  t.same(stderr.trim().split('\n'), [
    'source image quay.io/x/silent:v1 is not accessible: no answer',
    'target ci/silent:latest cannot be looked up in quay: no answer',
  ]);
});

test('a file that cannot be used is a mistake, with every fault', async (t) => {
  const broken = 'unknown: {}\nsupplementalCIImages: {nowhere: {image: a/b:c}}';
  const running = run(t.testdir(), { 'a.yaml': broken }, ['--config', 'a.yaml']);
  await t.rejects(running, { name: 'ConfigError' });
  await t.rejects(running, /a\.yaml:1: unknown field "unknown"\n.*a\.yaml:2: invalid target: nowhere/);
  await t.rejects(run(t.testdir(), {}, ['--config', 'absent.yaml']), /cannot be read/);
  await t.rejects(run(t.testdir(), {}, []), /needs --config/);
});
