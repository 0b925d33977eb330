import { join } from 'node:path';
import { type Test, test } from 'tap';
import { until } from '../support/bodies.ts';
import { testAuthority } from '../support/certificates.ts';
import { createOwnWatch } from '../support/own-watch.ts';
import { registryDouble } from '../support/registry-double.ts';
import { again, badDay, digestOrCut, holdsOnly, refusal, temporary } from './rig.ts';

const unavailable = { status: 503, code: 'UNAVAILABLE' };
/** Of a blob: the client tries again, and goes to its next mirror after that. */
const passing = { status: 429, code: 'TOOMANYREQUESTS', retryAfter: 1 };

for (const code of [500, 502, 503]) {
  test(`an upstream that answers ${code} once is asked again, and the client does not notice`, async (t) => {
    const { get, getLayer, double, image, layer } = await badDay(t);
    double.switches.status = { of: 'everything', code, times: 1 };
    t.equal(await digestOrCut(await get('manifests/tools')), image.digest);
    double.switches.status = { of: 'everything', code, times: 1 };
    t.equal(await digestOrCut(await getLayer()), layer.digest);
  });

  test(`an upstream that answers ${code} for ever is 503, for a blob 429, with a time to come back`, async (t) => {
    const { get, getLayer, double, layer } = await badDay(t);
    double.switches.status = { of: 'everything', code };
    for (const path of ['manifests/tools', `blobs/${layer.digest}`, 'tags/list']) {
      const told = await refusal(await get(path));
      t.match(told, path.startsWith('blobs') ? passing : unavailable, path);
      t.ok((told.retryAfter ?? 0) >= 1, path);
    }
    delete double.switches.status;
    await until(async () => (await digestOrCut(await getLayer())) === layer.digest, 'the recovery');
  });
}

test('an upstream that failed several times is left alone, and asked again soon', async (t) => {
  const rig = await badDay(t, { upstream: { breaker: { failures: 3, openMs: '1s' } } });
  const { get, double } = rig;
  double.switches.down = true;
  await until(async () => (await refusal(await get('manifests/tools'))).message.includes('circuit breaker'));
  await until(async () => rig.log.some(({ level, state }) => level === 'warn' && state === 'open'));
  const asked = double.requests.length;
  t.match(await refusal(await get('manifests/other')), { ...unavailable, retryAfter: 1 });
  t.equal(double.requests.length, asked);
  t.match(await rig.metrics(), /breaker_state\{upstream="quay\.io",state="open"\} 1/);
  double.switches.down = false;
  await until(async () => (await get('manifests/tools')).status === 200, 'the recovery');
});

test('a throttled blob is asked for again, and the client does not notice', async (t) => {
  const { getLayer, double, layer } = await badDay(t);
  double.switches.throttles = 1;
  t.equal(await digestOrCut(await getLayer()), layer.digest);
});

test('throttling is never a client’s to wait out: a manifest is refused at once, a blob with a short wait', async (t) => {
  const { get, getLayer, double } = await badDay(t);
  double.switches.throttles = Number.POSITIVE_INFINITY;
  for (const retryAfter of ['when it suits you', '60']) {
    double.switches.retryAfter = retryAfter;
    double.requests.length = 0;
    t.match(await refusal(await get('manifests/tools')), unavailable);
    t.equal(double.requests.length, 1);
    t.match(await refusal(await getLayer()), passing);
  }
});

test('a body that stalls is given up and goes on from there', async (t) => {
  const { getLayer, double, layer } = await badDay(t, { upstream: { progressTimeoutMs: '100ms' } });
  double.switches.stallsAfter = { bytes: 150_000, times: 2 };
  t.equal(await digestOrCut(await getLayer()), layer.digest);
  t.equal(double.seen(`GET /v2/openshift/ci/blobs/${layer.digest}`).length, 3);
});

test('an upstream that does not begin to answer is 503 within the limit', async (t) => {
  const { get, double } = await badDay(t, { upstream: { firstByteTimeoutMs: '100ms', retries: 0 } });
  double.switches.delayMs = 5_000;
  const ownMs = createOwnWatch();
  t.match(await refusal(await get('manifests/tools')), unavailable);
  t.ok(ownMs() < 2_000);
});

test('redirects in a loop are refused after the limit', async (t) => {
  const { getLayer, double, directory } = await badDay(t, { upstream: { maxRedirects: 3 } });
  double.switches.redirectsInALoop = true;
  t.match(await refusal(await getLayer()), passing);
  t.equal(double.seen('GET /v2/openshift/ci/blobs/').length, 4);
  await holdsOnly(directory);
});

const inside = [
  'http://169.254.169.254/latest/meta-data/',
  'http://[::ffff:10.0.0.1]/x',
  'http://localhost:1/',
];
for (const target of inside) {
  test(`a redirect to ${target} is refused unasked, and the address is not told`, async (t) => {
    const { getLayer, double } = await badDay(t, { upstream: { allowPrivateAddresses: false } });
    double.switches.redirectsTo = target;
    const told = await refusal(await getLayer());
    t.match(told, passing);
    t.notMatch(JSON.stringify(told), new URL(target).hostname);
  });
}

test('a redirect to another port of this machine is refused, one to the upstream itself is followed', async (t) => {
  const { getLayer, double } = await badDay(t, { upstream: { allowPrivateAddresses: false } });
  double.switches.redirectsBlobs = true;
  t.match(await refusal(await getLayer()), passing);
  t.equal(double.requests.length, 1);
  delete double.switches.redirectsBlobs;
  double.switches.redirectsInALoop = true;
  t.match(await refusal(await getLayer()), {
    ...passing,
    message: 'the upstream quay.io redirects too often',
  });
});

test('a redirect to something that is not HTTP is refused', async (t) => {
  const { getLayer, double } = await badDay(t);
  for (const target of ['file:///etc/passwd', 'gopher://127.0.0.1/', 'http://']) {
    double.switches.redirectsTo = target;
    t.match(await refusal(await getLayer()), passing, target);
  }
});

test('an expired certificate is 503, and no bytes are taken', async (t) => {
  const { get, getLayer, double } = await withCertificate(t, -1);
  t.match(await refusal(await get('manifests/tools')), {
    ...unavailable,
    message: "the upstream quay.io's certificate cannot be verified; caFile names other authorities",
  });
  t.match(await refusal(await getLayer()), passing);
  t.same(double.requests, []);
});

test('a certificate that is good until tomorrow is good', async (t) => {
  const { get, image } = await withCertificate(t, 1);
  t.equal(await digestOrCut(await get('manifests/tools')), image.digest);
});

test('a certificate of an untrusted authority is 503', async (t) => {
  const { get, double } = await withCertificate(t, 1, testAuthority());
  t.match(await refusal(await get('manifests/tools')), unavailable);
  t.same(double.requests, []);
});

test('with the upstream gone, what is not here is refused at the manifest', async (t) => {
  const first = await badDay(t);
  await digestOrCut(await first.get('manifests/tools'));
  await first.stop();
  const { double, get, image } = await again(t, first);
  double.switches.down = true;
  t.match(await refusal(await get('manifests/tools')), unavailable);
  t.match(await refusal(await get(`manifests/${image.digest}`)), unavailable);
});

test('with the upstream gone, what is here is served, also after a restart', async (t) => {
  const first = await badDay(t);
  await digestOrCut(await first.get('manifests/tools'));
  await digestOrCut(await first.get(`blobs/${first.image.config}`));
  await digestOrCut(await first.getLayer());
  await first.stop();
  const { double, get, getLayer, image, layer } = await again(t, first);
  double.switches.down = true;
  t.equal(await digestOrCut(await get('manifests/tools')), image.digest);
  t.equal(await digestOrCut(await get(`blobs/${image.config}`)), image.config);
  t.equal(await digestOrCut(await getLayer()), layer.digest);
});

test('an upstream that denies us is 403, and is not asked a second time for one request', async (t) => {
  const { get, double } = await badDay(t);
  for (const code of [401, 403]) {
    double.requests.length = 0;
    double.switches.status = { of: 'manifests', code };
    t.match(await refusal(await get(`manifests/denied-${code}`)), { status: 403, code: 'DENIED' });
    t.equal(double.requests.length, 1);
  }
});

test('a token server that fails is 503', async (t) => {
  const { get, double } = await badDay(t);
  double.switches.requiresToken = { status: 500 };
  t.match(await refusal(await get('manifests/tools')), unavailable);
});

/** The service over a registry that shows a certificate of `days` more, and trusts `trusted`. */
async function withCertificate(t: Test, days: number, trusted?: ReturnType<typeof testAuthority>) {
  const authority = testAuthority();
  const ca = (trusted ?? authority).cert;
  const double = await registryDouble({ tls: authority.issued({ days }) });
  t.teardown(() => double.close());
  const caFile = join(await temporary(t, { 'ca.pem': ca }), 'ca.pem');
  return badDay(t, { double, upstream: { caFile } });
}
