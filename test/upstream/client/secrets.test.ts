import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { test } from 'tap';
import type { RegistryDouble } from '../../support/registry-double.ts';
import { app, blobIn, pulled, rig, v1 } from '../rig.ts';

const password = 'robot-secret-0815';
const basic = Buffer.from(`robot:${password}`).toString('base64');

/** Ways for a request to go wrong while it carries a credential. */
const mishaps: Record<string, (registry: RegistryDouble) => void> = {
  'the login is refused': ({ switches }) => {
    switches.requiresToken = { user: 'robot', password: 'another' };
  },
  'Basic is refused': ({ switches }) => {
    switches.requiresBasic = { user: 'robot', password: 'another' };
  },
  'the repository is private': ({ switches }) => {
    switches.requiresToken = { user: 'robot', password, isPrivate: true };
  },
  'the token server fails': ({ switches }) => {
    switches.requiresToken = { status: 500 };
  },
  'the registry fails': ({ switches }) => {
    switches.requiresToken = { user: 'robot', password };
    switches.status = { of: 'blobs', code: 500 };
  },
  'the CDN cuts the body for ever': ({ switches }) => {
    switches.requiresBasic = { user: 'robot', password };
    Object.assign(switches, { redirectsBlobs: true, ignoresRange: true });
    switches.dropsAfter = { bytes: 100, times: Number.POSITIVE_INFINITY };
  },
  'the redirect leads inside': ({ switches }) => {
    switches.requiresBasic = { user: 'robot', password };
    switches.redirectsTo = 'https://user:hunter2@10.0.0.1/?signature=hunter2';
  },
  'the registry is down': ({ switches }) => {
    switches.down = true;
  },
};

for (const [mishap, arrange] of Object.entries(mishaps)) {
  test(`no error and no event holds a credential when ${mishap}`, async (t) => {
    const folder = t.testdir();
    const credentials = { usernameFile: join(folder, 'username'), passwordFile: join(folder, 'password') };
    await writeFile(credentials.usernameFile, 'robot');
    await writeFile(credentials.passwordFile, password);
    const options = { credentials, retries: 1, resumes: 1, allowPrivateAddresses: false, realmHosts: [] };
    const { registry, upstream, events } = await rig(t, {
      ...options,
      allowPrivateAddresses: mishap.includes('CDN'),
    });
    const { digest } = blobIn(registry, 10_000);
    arrange(registry);
    const answers = await Promise.allSettled([
      upstream.manifest(app, v1),
      pulled(upstream, digest),
      upstream.statBlob(app, digest),
    ]);
    const refusals = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
    t.ok(refusals.length > 0, 'something was refused');
    const told = inspect([refusals, events], { depth: 20, showHidden: true, maxStringLength: null });
    for (const secret of [password, basic, 'token-', 'hunter2']) t.notOk(told.includes(secret));
  });
}
