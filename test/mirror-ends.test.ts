import { type Test, test } from 'tap';
import { memoryStore } from '../src/cache/store/memory-store.ts';
import { load } from '../src/config.ts';
import { metrics } from '../src/metrics.ts';
import { registryEnds } from '../src/mirror-ends.ts';
import { parseReference, parseRepository } from '../src/oci/reference.ts';
import { registryDouble } from './support/registry-double.ts';

const repository = parseRepository('openshift/ci');
const reference = parseReference('tool');

/** The ends of a registry that is named under `upstreams`, as the service makes them. */
async function ends(t: Test) {
  const double = await registryDouble();
  const config = load(
    `{upstreams: {quay.io: {url: "${double.url}", allowPrivateAddresses: true, retries: 1}}, mirror: {}}`,
    {},
  );
  if (config.mirror === undefined) throw new Error('the settings have no mirror');
  const made = registryEnds({
    config,
    settings: config.mirror,
    env: {},
    events: metrics().events,
    cache: { store: memoryStore().blobs, fills: { find: () => undefined } },
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

test('reading is as patient as the upstream says', async (t) => {
  const { double, source } = await ends(t);
  double.switches.status = { of: 'manifests', code: 502 };
  await t.rejects(source.manifest(repository, reference, { method: 'HEAD' }), { code: 'UNAVAILABLE' });
  t.equal(double.seen('HEAD').length, 2);
});
