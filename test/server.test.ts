import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { test } from 'tap';
import { until } from './support/bodies.ts';
import { type TestCertificate, testAuthority } from './support/certificates.ts';
import { serviceRig } from './support/service.ts';

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
