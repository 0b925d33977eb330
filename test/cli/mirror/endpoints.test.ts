import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { commandHelpers } from '../../../src/cli/mirror/auth-file.ts';
import { createMirrorEndpoints } from '../../../src/cli/mirror/endpoints.ts';
import { allTags } from '../../../src/mirror/endpoints/reading.ts';
import { type ImagePlace, parsePullSpec } from '../../../src/mirror/references/pull-spec.ts';
import { testAuthority } from '../../support/certificates.ts';
import {
  type RegistryDouble,
  type RegistryDoubleOptions,
  registryDouble,
} from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';

const usual = {
  insecure: false,
  certificateAuthority: undefined,
  authFile: undefined,
  maxPerRegistry: 6,
  requestsPerSecond: undefined,
  skipMount: false,
  dir: '/dir',
  fromDir: '/from',
  env: {},
  helpers: commandHelpers(recordedIo()),
};

async function registry(t: Test, options: RegistryDoubleOptions = {}) {
  const double = await registryDouble(options);
  t.teardown(() => double.close());
  double.addImage('team/app', 'v1');
  return { double, place: parsePullSpec(`${double.host}/team/app:v1`) };
}

/** What the registry's tags are, read through ends of those options. */
async function tagsOf(
  t: Test,
  place: ImagePlace,
  options: Partial<Parameters<typeof createMirrorEndpoints>[0]>,
) {
  const ends = createMirrorEndpoints({ ...usual, ...options });
  t.teardown(() => ends.close());
  return Array.fromAsync(allTags(await ends.source(place), place.repository));
}

async function loginFile(t: Test, { host }: RegistryDouble): Promise<string> {
  const path = join(t.testdir({}), 'auth.json');
  const auth = Buffer.from('robot:secret').toString('base64');
  await writeFile(path, JSON.stringify({ auths: { [`${host}/team`]: { auth } } }));
  return path;
}

test('plain HTTP is spoken only by who said that this is fine', async (t) => {
  const { place } = await registry(t);
  t.same(await tagsOf(t, place, { insecure: true }), ['v1']);
  await t.rejects(tagsOf(t, place, {}), { code: 'UNAVAILABLE' });
});

test('a certificate must be of a known authority, of the given one, or be let pass', async (t) => {
  const authority = testAuthority();
  const { place } = await registry(t, { tls: authority.issued() });
  const caFile = join(t.testdir({ 'ca.pem': authority.cert }), 'ca.pem');
  t.same(await tagsOf(t, place, { certificateAuthority: caFile }), ['v1']);
  t.same(await tagsOf(t, place, { insecure: true }), ['v1']);
  await t.rejects(tagsOf(t, place, {}), { code: 'UNAVAILABLE' });
});

test('logins of the file are used, also to write', async (t) => {
  const { double, place } = await registry(t);
  double.switches.requiresBasic = { user: 'robot', password: 'secret' };
  const authFile = await loginFile(t, double);
  t.same(await tagsOf(t, place, { insecure: true, authFile }), ['v1']);
  await t.rejects(tagsOf(t, place, { insecure: true }), { code: 'DENIED' });
  const ends = createMirrorEndpoints({ ...usual, insecure: true, authFile });
  t.teardown(() => ends.close());
  const { tag } = parsePullSpec(`${double.host}/team/app:v1`);
  const destination = await ends.destination(place);
  t.ok(tag && (await destination.statManifest(place.repository, { tag })));
});

test('what is read from a registry and written to it counts together against its requests per second', async (t) => {
  const { double, place } = await registry(t);
  const ends = createMirrorEndpoints({ ...usual, insecure: true, requestsPerSecond: 5 });
  t.teardown(() => ends.close());
  const { tag } = parsePullSpec(`${double.host}/team/app:v1`);
  if (tag === undefined) throw new Error('no tag');
  const source = await ends.source(place);
  const destination = await ends.destination(place);
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: 3 }, async () => {
      await source.manifest(place.repository, { tag }, { method: 'HEAD' });
      await destination.statManifest(place.repository, { tag });
    }),
  );
  t.ok(performance.now() - startedAt >= 190, 'the sixth one waited a fifth of a second');
});

test('a place is one end, however often it is asked for', async (t) => {
  const ends = createMirrorEndpoints(usual);
  t.teardown(() => ends.close());
  const [quay, again] = ['quay.io/a', 'quay.io/b'].map((text) => parsePullSpec(text));
  t.ok(quay && again && (await ends.source(quay)) === (await ends.source(again)));
  const layout = parsePullSpec('oci:/a:v1');
  t.equal(await ends.source(layout), await ends.source(parsePullSpec('oci:/a:v2')));
});

test('file:// lies in one directory for sources and in another for destinations', async (t) => {
  const ends = createMirrorEndpoints(usual);
  t.teardown(() => ends.close());
  const place = parsePullSpec('file://ns/app');
  t.equal((await ends.source(place)).name, 'file:///from');
  t.equal((await ends.destination(place)).name, 'file:///dir');
});

test('with --skip-mount no destination mounts', async (t) => {
  const { double, place } = await registry(t);
  const { layers } = double.addImage('team/app', 'v1');
  const ends = createMirrorEndpoints({ ...usual, insecure: true, skipMount: true });
  t.teardown(() => ends.close());
  const destination = await ends.destination(parsePullSpec(`${double.host}/team/other`));
  const digest = layers[0]?.digest;
  t.notOk(digest && (await destination.mountBlob(place.repository, digest, place.repository)));
  t.same(double.seen('POST'), []);
});
