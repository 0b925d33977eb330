import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { temporary } from '../../bad-days/rig.ts';
import { until } from '../../support/bodies.ts';
import { testAuthority } from '../../support/certificates.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { objectDouble } from '../../support/object-double.ts';
import { s3Double } from '../../support/s3-double.ts';
import { serviceRig } from '../../support/service.ts';

interface Shown {
  readonly type: string;
  readonly name?: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly pending?: { readonly status: string; readonly reason: string };
}

/** All conditions of a running service, by type. */
async function shown(admin: string | undefined): Promise<Readonly<Record<string, Shown>>> {
  const answer = await fetch(`http://${admin}/statusz?format=json`);
  const { conditions, parts } = (await answer.json()) as { conditions: Shown[]; parts: Shown[] };
  return Object.fromEntries([...conditions, ...parts].map((each) => [each.type, each]));
}

/** Resolves once a condition is as it should be. */
async function become(admin: string | undefined, type: string, status: string): Promise<Shown> {
  let found: Shown | undefined;
  await until(async () => {
    found = (await shown(admin))[type];
    return found?.status === status;
  }, `${type} ${status}`);
  if (found === undefined) throw new Error(`there is no ${type}`);
  return found;
}

async function overS3(t: Test) {
  const s3 = await s3Double();
  t.teardown(() => s3.close());
  const folder = await temporary(t, { id: 'AKIDEXAMPLE', key: 'a-secret-key' });
  const store = {
    s3: {
      bucket: 'blobs',
      endpoint: s3.endpoint,
      pathStyle: true,
      accessKeyIdFile: join(folder, 'id'),
      secretAccessKeyFile: join(folder, 'key'),
    },
  };
  return { s3, folder, settings: { store, spool: { path: join(folder, 'spool') } } };
}

test('a service in which all is well is available, and says so in JSON, as a table and as metrics', async (t) => {
  const rig = await serviceRig(t);
  await become(rig.service.adminAddress, 'Available', 'True');
  t.match(await shown(rig.service.adminAddress), {
    Available: { reason: 'Ready' },
    Progressing: { status: 'False' },
    Degraded: { status: 'False' },
    Serving: { status: 'True' },
    StoreUsable: { status: 'True' },
    SpoolUsable: { status: 'True' },
    UpstreamReachable: { name: 'quay.io' },
    ConfigurationApplied: { status: 'True' },
  });
  t.match(await (await fetch(`http://${rig.service.adminAddress}/statusz`)).text(), /^Available +True/);
  const metrics = await rig.metrics();
  t.match(metrics, 'quayside_condition_state{type="Available",name="",status="True"} 1');
  t.match(metrics, 'quayside_condition_state{type="Available",name="",status="False"} 0');
  t.match(metrics, /quayside_condition_last_transition_seconds\{type="Available",name=""\} \d+/);
});

test('an upstream that no pull tells of is asked once the first minute is over', async (t) => {
  const clock = createManualClock();
  const rig = await serviceRig(t, { clock });
  const { adminAddress } = rig.service;
  await become(adminAddress, 'Available', 'True');
  // Looks begin after 10 s, and one of them is every 15 s.
  await clock.pass(69_999);
  t.match(await shown(adminAddress), {
    UpstreamReachable: { status: 'Unknown', reason: 'Starting' },
    ClockInSync: { status: 'Unknown' },
  });
  t.same(rig.double.requests, []);
  await clock.pass(1);
  await become(adminAddress, 'UpstreamReachable', 'True');
  t.same(
    rig.double.requests.map(({ method, path }) => `${method} ${path}`),
    ['GET /v2/'],
  );
});

test('a missing bucket is the first line of the log, and ends Available by its name and the code of S3', async (t) => {
  const { s3, settings } = await overS3(t);
  s3.bucket.exists = false;
  const clock = createManualClock();
  const rig = await serviceRig(t, { settings, clock });
  t.match(rig.log[0], {
    level: 'error',
    code: 'NoSuchBucket',
    message: /^bucket blobs at http:\S+ does not exist: /,
    msg: 'the bucket of the store does not exist; see quayside bucket ensure',
  });
  t.match(rig.service.storeFault, /^bucket blobs at http:.*NoSuchBucket/);
  const available = await become(rig.service.adminAddress, 'Available', 'False');
  t.match(available, { reason: 'NoSuchBucket', message: /bucket blobs at http/ });
  s3.bucket.exists = true;
  await clock.pass(10_000);
  await become(rig.service.adminAddress, 'Available', 'True');
  s3.bucket.exists = false;
  await clock.pass(10_000);
  await become(rig.service.adminAddress, 'Available', 'False');
});

test('the settings of a bucket are looked at and not changed, and without store.s3.check nothing is asked', async (t) => {
  const { s3, settings } = await overS3(t);
  const rig = await serviceRig(t, { settings });
  await become(rig.service.adminAddress, 'StorageConditionalWrites', 'True');
  t.match(await shown(rig.service.adminAddress), {
    StorageExists: { status: 'True', reason: 'S3 Bucket Exists' },
    StorageTagged: { status: 'False', reason: 'NoSuchTagSet' },
    StorageClock: { status: 'True' },
    Available: { status: 'True', reason: 'Ready' },
  });
  t.same(
    s3.requests.filter(({ operation }) => /^(?:PutB|PutP|Create)/.test(operation)),
    [],
  );
  await rig.stop();
  s3.requests.length = 0;
  const quiet = { ...settings, store: { s3: { ...settings.store.s3, check: false } } };
  const other = await serviceRig(t, { settings: quiet });
  await become(other.service.adminAddress, 'Available', 'True');
  t.notOk((await shown(other.service.adminAddress))['StorageExists']);
  t.notOk(s3.requests.some(({ operation }) => /Bucket/.test(operation)));
});

test('what counted is remembered over a restart', async (t) => {
  const directory = await temporary(t);
  const first = await serviceRig(t, { directory });
  const { lastTransitionTime: before } = (await become(
    first.service.adminAddress,
    'Available',
    'True',
  )) as Shown & {
    lastTransitionTime: string;
  };
  await first.stop();
  const second = await serviceRig(t, { directory });
  const after = await become(second.service.adminAddress, 'Available', 'True');
  t.match(after, { lastTransitionTime: before });
  t.notOk(second.log.some(({ msg }) => msg.startsWith('a condition changed')));
});

test('a certificate is looked at, and settings that wait for a restart are pending for their inertia', async (t) => {
  const folder = t.testdir({ ...testAuthority().issued() });
  const tls = { certFile: join(folder, 'cert'), keyFile: join(folder, 'key') };
  const clock = createManualClock();
  const rig = await serviceRig(t, { settings: { tls }, clock });
  await become(rig.service.adminAddress, 'CertificateValid', 'True');
  rig.service.pending(['listen', 'store']);
  await clock.pass(10_000);
  await until(
    async () => (await shown(rig.service.adminAddress))['ConfigurationApplied']?.pending !== undefined,
  );
  t.match((await shown(rig.service.adminAddress))['ConfigurationApplied'], {
    status: 'True',
    pending: { reason: 'RestartNeeded', message: /listen, store$/ },
  });
});

test('in a cluster its conditions are in a ConfigMap, and what is wrong is an Event', async (t) => {
  const api = await objectDouble(t);
  const { s3, folder, settings } = await overS3(t);
  s3.bucket.exists = false;
  const kubeconfigFile = join(folder, 'kubeconfig');
  await writeFile(kubeconfigFile, api.kubeconfig);
  const rig = await serviceRig(t, {
    settings: {
      ...settings,
      clusters: { 'app.ci': { kubeconfigFile } },
      conditions: { cluster: 'app.ci', namespace: 'quayside', configMap: 'quayside-status' },
    },
  });
  await become(rig.service.adminAddress, 'Available', 'False');
  await until(() => api.configMaps.get('quayside-status')?.data['Available'] === 'False');
  await until(() => api.events.some(({ reason }) => reason === 'NoSuchBucket'));
  t.match(
    api.events.find(({ reason }) => reason === 'NoSuchBucket'),
    { type: 'Warning', regarding: { kind: 'Pod' }, note: /NoSuchBucket|does not exist/ },
  );
  await rig.stop();
  const [, text = ''] =
    Object.entries(api.configMaps.get('quayside-status')?.data ?? {}).find(([key]) =>
      key.startsWith('replica.'),
    ) ?? [];
  t.match(JSON.parse(text), { stoppedAt: /Z$/, conditions: [{ type: 'Available', status: 'False' }] });
});
