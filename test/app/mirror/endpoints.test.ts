import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createRegistryEndpoints } from '../../../src/app/mirror/endpoints.ts';
import { load } from '../../../src/config/load.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseReference, parseRepository } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { createCredentialHelpers } from '../../../src/upstream/helpers/helpers.ts';
import { helperProgram } from '../../support/helper-program.ts';
import { registryDouble } from '../../support/registry-double.ts';

const repository = parseRepository('openshift/ci');
const reference = parseReference('tool');

interface More {
  readonly upstream?: (url: URL) => string;
  readonly mirror?: string;
  readonly helpers?: string;
}

/**
 * The ends of a registry that is named under `upstreams`, with those settings, as the service makes
 * them.
 */
async function ends(t: Test, { upstream = () => '', mirror = '', helpers = '' }: More = {}) {
  const double = await registryDouble();
  const config = load(
    `{upstreams: {quay.io: {url: "${double.url}", allowPrivateAddresses: true, retries: 1${upstream(new URL(double.url))}}}, mirror: {${mirror}}, credentialHelpers: {${helpers}}}`,
    {},
  );
  const programs = createCredentialHelpers({ ...config.credentialHelpers, env: {} });
  if (config.mirror === undefined) throw new Error('the settings have no mirror');
  const made = createRegistryEndpoints({
    config,
    settings: config.mirror,
    env: {},
    events: createMetrics().events,
    helpers: programs,
    cache: { store: createMemoryStore().blobs, fills: { find: () => undefined } },
    registry: () => undefined,
    random: () => 0,
  });
  t.teardown(() => Promise.all([made.close(), double.close(), programs.close()]));
  return { double, source: made.source('quay.io'), destination: made.destination('quay.io') };
}

test('writing is as patient as by hand, whatever an upstream says of reading', async (t) => {
  const { double, destination } = await ends(t);
  double.addImage(repository, 'tool');
  double.switches.status = { of: 'manifests', code: 502, times: 6 };
  t.ok(await destination.statManifest(repository, reference));
  t.equal(double.seen('HEAD').length, 7);
});

test('an upload may be led to the names of a registry that its settings list', async (t) => {
  const bytes = Buffer.from('a blob');
  const descriptor = { digest: digestOf(bytes), size: bytes.length };
  const push = async ({ double, destination }: Awaited<ReturnType<typeof ends>>): Promise<void> => {
    double.switches.uploadsAt = `http://localhost:${new URL(double.url).port}`;
    await destination.putBlob(repository, descriptor, async () => bytesOf(bytes));
  };
  await t.rejects(push(await ends(t)), { code: 'UPSTREAM_INVALID', message: /uploadHosts/ });
  await push(await ends(t, { upstream: ({ port }) => `, uploadHosts: ["localhost:${port}"]` }));
});

test('reading is as patient as the upstream says', async (t) => {
  const { double, source } = await ends(t);
  double.switches.status = { of: 'manifests', code: 502 };
  await t.rejects(source.manifest(repository, reference, { method: 'HEAD' }), { code: 'UNAVAILABLE' });
  t.equal(double.seen('HEAD').length, 2);
});

test('both ends of copies log in by the helper that the auth file of the mirror names', async (t) => {
  const folder = t.testdir();
  const says = { ServerURL: 'quay.io', Username: 'robot', Secret: 'of-a-helper' };
  const program = helperProgram(folder, 'docker-credential-tool', { says });
  const authFile = join(folder, 'auth.json');
  await writeFile(authFile, JSON.stringify({ credHelpers: { 'quay.io': 'tool' } }));
  const { double, source, destination } = await ends(t, {
    mirror: `authFile: ${authFile}`,
    helpers: `directories: [${program.directory}]`,
  });
  double.switches.requiresBasic = { user: 'robot', password: 'of-a-helper' };
  double.addImage(repository, 'tool');
  t.equal((await source.manifest(repository, reference)).kind, 'found');
  const bytes = Buffer.from('a blob');
  const descriptor = { digest: digestOf(bytes), size: bytes.length };
  await destination.putBlob(repository, descriptor, async () => bytesOf(bytes));
  t.same(double.blobOf(repository, descriptor.digest), bytes);
  t.equal(program.runs.length, 1, 'they share its answer');
});
