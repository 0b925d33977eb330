import { type Test, test } from 'tap';
import { until } from '../../support/bodies.ts';
import { type RegistryDouble, registryDouble } from '../../support/registry-double.ts';
import { serviceRig } from '../../support/service.ts';

const ci = 'openshift/ci';

/** The service with a mirror, before doubles of QCI and of app.ci's registry. */
async function mirrorRig(t: Test, mirror: Readonly<Record<string, unknown>> | undefined) {
  const [double, source] = await Promise.all([registryDouble(), registryDouble()]);
  const registry = ({ url }: RegistryDouble) => ({ url, allowPrivateAddresses: true, retries: 1 });
  const rig = await serviceRig(t, {
    double,
    settings: {
      mirror,
      upstreams: { 'quay.io': registry(double), 'registry.ci.openshift.org': registry(source) },
      tags: { freshMs: 0, refreshBehindMs: 0, negativeMs: 1 },
    },
  });
  t.teardown(() => Promise.all([double.close(), source.close()]));
  const pulled = async (tag: string) => (await fetch(`${rig.url}/v2/quay.io/${ci}/manifests/${tag}`)).status;
  return { rig, source, double, pulled };
}

test('misses are served and copied from the change on, and not any more after the next', async (t) => {
  const { rig, source, double, pulled } = await mirrorRig(t, { misses: { onMiss: 'off' } });
  const image = source.addImage('ocp/4.20', 'cli', { layers: [1_000] });
  source.addImage('ocp/4.20', 'other', { layers: [2_000] });
  t.equal(await pulled('ocp_4.20_cli'), 404);
  await rig.reload({ settings: { mirror: { misses: { onMiss: 'serve' } } } });
  t.equal(await pulled('ocp_4.20_cli'), 200);
  await until(() => double.tagOf(ci, 'ocp_4.20_cli') === image.digest, 'a copy');
  await rig.reload({ settings: { mirror: { misses: { onMiss: 'off' } } } });
  t.equal(await pulled('ocp_4.20_other'), 404);
});

test('a copy under way when the mirror changes is made by the next one', async (t) => {
  const { rig, source, double, pulled } = await mirrorRig(t, { images: 2 });
  const image = source.addImage('ocp/4.20', 'cli', { layers: [300_000] });
  // The config is smaller, and may be sent first.
  const stall = { bytes: 10_000, times: 1 };
  double.switches.stallsUploadAfter = stall;
  t.equal(await pulled('ocp_4.20_cli'), 200);
  await until(() => stall.times === 0, 'an upload that stalls');
  await rig.reload({ settings: { mirror: { images: 4 } } });
  await until(() => double.tagOf(ci, 'ocp_4.20_cli') === image.digest, 'a copy');
});

test('the queue that operators see is that of the mirror in force', async (t) => {
  const { rig, source, pulled } = await mirrorRig(t, { misses: { onMiss: 'serve' } });
  await rig.reload({ settings: { mirror: { misses: { onMiss: 'serve', waitMs: '2m' } } } });
  source.addImage('ocp/4.20', 'cli', { layers: [1_000] });
  t.equal(await pulled('ocp_4.20_cli'), 200);
  const queue = `http://${rig.service.adminAddress}/api/v1/mirrors?action=summarize&state=all`;
  const answer = await fetch(queue);
  t.equal(answer.status, 200);
  t.match(await answer.json(), { total: Number });
});

test('a mirror comes with a change and goes with the next: its pulls, its queue and its series', async (t) => {
  const { rig, source, double, pulled } = await mirrorRig(t, undefined);
  const image = source.addImage('ocp/4.20', 'cli', { layers: [1_000] });
  const shown = async () => {
    const paths = ['/api/v1/mirrors', '/api/health', '/api/v1/mirrors/holds', '/statusz'];
    const answers = await Promise.all(
      paths.map((path) => fetch(`http://${rig.service.adminAddress}${path}`)),
    );
    const conditions = await answers.at(-1)?.text();
    return [
      ...answers.slice(0, -1).map(({ status }) => status),
      /MirrorLease/.test(conditions ?? ''),
      /quayside_mirror_leader \d/.test(await rig.metrics()),
    ];
  };
  const absent = [404, 404, 404, false, false];
  t.equal(await pulled('ocp_4.20_cli'), 404);
  t.same(await shown(), absent);
  await rig.reload({ settings: { mirror: { misses: { onMiss: 'serve' } } } });
  t.equal(await pulled('ocp_4.20_cli'), 200);
  await until(() => double.tagOf(ci, 'ocp_4.20_cli') === image.digest, 'a copy');
  t.same(await shown(), [200, 200, 200, true, true]);
  await rig.reload({ settings: { mirror: undefined } });
  source.addImage('ocp/4.20', 'other', { layers: [2_000] });
  t.equal(await pulled('ocp_4.20_other'), 404);
  await until(async () => !/quayside_mirror_leader/.test(await rig.metrics()), 'the end of the mirror');
  t.same(await shown(), absent);
});
