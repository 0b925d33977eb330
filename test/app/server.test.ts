import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { test } from 'tap';
import { spoken } from '../bad-days/rig.ts';
import { until } from '../support/bodies.ts';
import { type TestCertificate, testAuthority } from '../support/certificates.ts';
import { serviceRig } from '../support/service.ts';

test('a service takes a renewed certificate into use while it runs', async (t) => {
  const authority = testAuthority();
  const folder = await mkdtemp(join(tmpdir(), 'quayside-tls-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const tls = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  const write = async ({ cert, key }: TestCertificate) => {
    await writeFile(tls.certFile, cert);
    await writeFile(tls.keyFile, key);
  };
  await write(authority.issued());
  const { service } = await serviceRig(t, { settings: { tls } });
  const serial = async () => {
    const socket = connect({
      port: Number(service.address.split(':')[1]),
      host: '127.0.0.1',
      ca: authority.cert,
    });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const before = await serial();
  await write(authority.issued());
  await until(async () => (await serial()) !== before, 'the new certificate');
  t.not(await serial(), before);
});

test('no browser guesses the type of any answer, on any port', async (t) => {
  const mirror = { listen: '127.0.0.1:0', misses: { onMiss: 'off' } };
  const { url, service, double } = await serviceRig(t, { settings: { mirror } });
  const { layers, digest } = double.addImage('openshift/ci', 'tools');
  const image = '/v2/openshift/ci';
  const blob = `${image}/blobs/${layers[0]?.digest}`;
  const admin = `http://${service.adminAddress}`;
  const asked: readonly (readonly [url: string, init?: RequestInit])[] = [
    ...['/v2/', `${image}/manifests/tools`, blob, `${image}/tags/list`, `${image}/referrers/${digest}`],
    ...['/v2/none/manifests/x', '/nothing', '/v2/%zz', '/healthz', '/readyz', '/v2/auth'],
  ].map((path) => [url + path] as const);
  const others: typeof asked = [
    [url + blob, { method: 'HEAD' }],
    [url + blob, { headers: { range: 'bytes=0-1' } }],
    [url + blob, { headers: { range: 'bytes=0-1,3-4' } }],
    [`${url}${image}/manifests/tools`, { method: 'PUT' }],
    ...['/metrics', '/livez', '/api/health', '/api/v1/mirrors', '/nothing'].map(
      (path) => [admin + path] as const,
    ),
    [`${admin}/access/forget`, { method: 'POST' }],
    [`http://${service.mirrorAddress}/api/v1/mirrors?action=x`],
  ];
  for (const [address, init] of [...asked, ...others]) {
    const answer = await fetch(address, init);
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff', `${init?.method ?? ''} ${address}`);
    await answer.arrayBuffer();
  }
  t.match(await spoken(url, 'GET / HTTP/1.1\r\nBad Name: x\r\n\r\n'), /^HTTP\/1\.1 400 .*nosniff/s);
});
