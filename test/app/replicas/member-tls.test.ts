import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { openedMemberPort } from '../../../src/app/replicas/member-port.ts';
import { followedMemberTls } from '../../../src/app/replicas/member-tls.ts';
import { createMemberClient } from '../../../src/fleet/protocol/member-client.ts';
import { createSeals } from '../../../src/fleet/protocol/seals.ts';
import { createDownloads } from '../../../src/upstream/download/downloads.ts';
import { until } from '../../support/bodies.ts';
import { testAuthority } from '../../support/certificates.ts';

const seals = createSeals(() => ['k'.repeat(40)]);

test('members show certificates of their authority, and renew all of them while they run', async (t) => {
  const folder = t.testdir();
  const settings = {
    certFile: join(folder, 'tls.crt'),
    keyFile: join(folder, 'tls.key'),
    caFile: join(folder, 'ca.crt'),
  };
  async function renewed(): Promise<void> {
    const authority = testAuthority();
    const { cert, key } = authority.issued();
    const texts = { [settings.certFile]: cert, [settings.keyFile]: key, [settings.caFile]: authority.cert };
    for (const [file, text] of Object.entries(texts)) {
      await writeFile(`${file}.next`, text);
      await rename(`${file}.next`, file);
    }
  }
  await renewed();
  const lines: string[] = [];
  const log = { info: (text: string) => void lines.push(text), warn: () => undefined };
  const options = { connectTimeoutMs: 2_000, everyMs: 5, log: log as never };
  const tls = await followedMemberTls(settings, options);
  const port = await openedMemberPort({
    ...{ listen: '127.0.0.1:0', tls, seals, registries: new Map() },
    pong: () => ({ instance: 'x', isLeaving: false }),
    told: () => undefined,
  });
  const wire = createDownloads();
  t.teardown(async () => {
    tls.close();
    wire.close();
    port.abort();
    await port.close();
  });
  const client = createMemberClient({ wire, line: tls.line, isTls: true, seals });
  t.equal((await client.ping(port.address))?.instance, 'x');
  const before = tls.line();
  await renewed();
  // The files are written one after the other, and may be read between two of them.
  const isRenewed = async () => (await client.ping(port.address))?.instance === 'x';
  await until(async () => tls.line() !== before && (await isRenewed()), 'the new authority');
  const old = createMemberClient({ wire, line: () => before, isTls: true, seals });
  t.equal((await old.ping(port.address))?.instance, 'x', 'a connection that stands is kept');
  wire.close();
  t.equal(await old.ping(port.address), undefined, 'the former authority is not trusted any more');
  t.ok(lines.length > 0);
});
