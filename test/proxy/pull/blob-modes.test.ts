import { type Test, test } from 'tap';
import { blobKey } from '../../../src/store/keys.ts';
import { type BadDay, badDay, digestOrCut, temporary } from '../../bad-days/rig.ts';
import { until } from '../../support/bodies.ts';
import { s3Double } from '../../support/s3-double.ts';

interface Stage extends BadDay {
  /** Gives the host another mode while it runs, or none. */
  become(blobs?: 'serve' | 'redirect' | 'bypass'): Promise<void>;
}

/** A service over an S3 that holds the layer, and over a registry that redirects blobs. */
async function stage(t: Test, redirect: 'always' | 'never'): Promise<Stage> {
  const s3 = await s3Double();
  t.teardown(() => s3.close());
  const directory = await temporary(t, { id: 'AKIDEXAMPLE', key: 'a-secret-key' });
  const keys = { accessKeyIdFile: `${directory}/id`, secretAccessKeyFile: `${directory}/key` };
  const settings = {
    store: {
      s3: {
        bucket: 'blobs',
        endpoint: s3.endpoint,
        pathStyle: true,
        redirect,
        // A busy machine is no S3 that is slow.
        firstByteTimeoutMs: '60s',
        ...keys,
      },
    },
    spool: { path: `${directory}/spool` },
  };
  const rig = await badDay(t, { settings });
  await digestOrCut(await rig.getLayer());
  const key = blobKey(rig.layer.digest);
  await until(() => [...s3.objects.keys()].some((each) => each.endsWith(key)), 'the layer in S3');
  rig.double.switches.redirectsBlobs = true;
  const become: Stage['become'] = (blobs) =>
    rig.reload({ settings: { hosts: { '*': blobs === undefined ? {} : { blobs } } } });
  return Object.assign(rig, { become });
}

/** The status, and where the answer comes from. */
async function answered({ getLayer }: BadDay): Promise<string> {
  const response = await getLayer();
  await response.body?.cancel();
  return `${response.status} ${response.headers.get('quayside-cache')}`;
}

test('a host has its blobs served, redirected to the store, or past the cache, and changes while it runs', async (t) => {
  const rig = await stage(t, 'never');
  t.equal(await answered(rig), '200 hit; store');
  await rig.become('redirect');
  t.equal(await answered(rig), '307 hit; redirect');
  await rig.become('bypass');
  t.equal(await answered(rig), '302 bypass');
  await rig.become('serve');
  t.equal(await answered(rig), '200 hit; store');
  await rig.become();
  t.equal(await answered(rig), '200 hit; store');
});

test('a host that serves its blobs does so whatever the store says', async (t) => {
  const rig = await stage(t, 'always');
  t.equal(await answered(rig), '307 hit; redirect');
  await rig.become('serve');
  t.equal(await answered(rig), '200 hit; store');
  await rig.become();
  t.equal(await answered(rig), '307 hit; redirect');
});

test('a body that is under way when the mode changes comes whole', async (t) => {
  const rig = await stage(t, 'never');
  const response = await rig.getLayer();
  await rig.become('bypass');
  t.equal(await digestOrCut(response), rig.layer.digest);
});
