import { type Test, test } from 'tap';
import { createRegistryEndpoints } from '../../../src/app/mirror/endpoints.ts';
import { load } from '../../../src/config/load.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseReference, parseRepository } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { registryDouble } from '../../support/registry-double.ts';

const repository = parseRepository('openshift/ci');
const reference = parseReference('tool');

/**
 * The ends of a registry that is named under `upstreams`, with those settings, as the service makes
 * them.
 */
async function ends(t: Test, more: (url: URL) => string = () => '') {
  const double = await registryDouble();
  const config = load(
    `{upstreams: {quay.io: {url: "${double.url}", allowPrivateAddresses: true, retries: 1${more(new URL(double.url))}}}, mirror: {}}`,
    {},
  );
  if (config.mirror === undefined) throw new Error('the settings have no mirror');
  const made = createRegistryEndpoints({
    config,
    settings: config.mirror,
    env: {},
    events: createMetrics().events,
    cache: { store: createMemoryStore().blobs, fills: { find: () => undefined } },
    registry: () => undefined,
    random: () => 0,
  });
  t.teardown(() => Promise.all([made.close(), double.close()]));
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
  await push(await ends(t, ({ port }) => `, uploadHosts: ["localhost:${port}"]`));
});

test('reading is as patient as the upstream says', async (t) => {
  const { double, source } = await ends(t);
  double.switches.status = { of: 'manifests', code: 502 };
  await t.rejects(source.manifest(repository, reference, { method: 'HEAD' }), { code: 'UNAVAILABLE' });
  t.equal(double.seen('HEAD').length, 2);
});
