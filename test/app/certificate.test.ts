import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { type Test, test } from 'tap';
import { readKeyPair, renewedCertificate } from '../../src/app/certificate.ts';
import { until } from '../support/bodies.ts';
import { type TestCertificate, testAuthority } from '../support/certificates.ts';
import { listening } from '../support/listening.ts';

const authority = testAuthority();

/**
 * Puts a whole file in the place of the one before, as a mounted Secret does: no look finds half of
 * it.
 */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.next`, text);
  await rename(`${file}.next`, file);
}

/** A TLS server over two files that are looked at all the time. */
async function stage(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'quayside-certificate-'));
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  const write = async ({ cert, key }: TestCertificate) => {
    await replace(files.certFile, cert);
    await replace(files.keyFile, key);
  };
  const first = authority.issued();
  await write(first);
  const server = createServer(await readKeyPair(files), (socket) => void socket.pipe(socket));
  const lines: string[] = [];
  const line = (level: string) => (_fields: object, message?: string) =>
    void lines.push(`${level} ${message}`);
  const log = { info: line('info'), warn: line('warn') };
  const renewal = renewedCertificate(server, { ...files, everyMs: 5, log });
  const { port, close } = await listening(server);
  t.teardown(async () => {
    renewal.close();
    await close();
    await rm(folder, { recursive: true });
  });
  return { ...files, first, write, lines, client: () => client(t, port) };
}

/** A connection that trusts our authority alone. */
async function client(t: Test, port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

function serialOf(socket: TLSSocket): string {
  return socket.getPeerCertificate().serialNumber;
}

test('new connections get the new certificate, and those that stand go on', async (t) => {
  const { write, client, lines } = await stage(t);
  const old = await client();
  await write(authority.issued());
  await until(() => lines.includes('info TLS certificate reloaded'));
  t.not(serialOf(await client()), serialOf(old));
  old.write('still here');
  const [echo] = await once(old, 'data');
  t.equal(String(echo), 'still here');
});

test('a certificate without its key, or no certificate at all, leaves the old one in place', async (t) => {
  const { client, certFile, keyFile, lines } = await stage(t);
  const before = serialOf(await client());
  const next = authority.issued();
  const complaint =
    'warn cannot use the new TLS certificate or its key; the previous certificate stays in use';
  await replace(certFile, next.cert);
  await until(() => lines.length === 1);
  await replace(certFile, 'no certificate');
  await until(() => lines.length === 2);
  await rm(certFile);
  await until(() => lines.length === 3);
  t.same(lines, [complaint, complaint, complaint]);
  t.equal(serialOf(await client()), before);
  await replace(certFile, next.cert);
  await replace(keyFile, next.key);
  await until(() => lines.at(-1) === 'info TLS certificate reloaded');
  t.not(serialOf(await client()), before);
});
