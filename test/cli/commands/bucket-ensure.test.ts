import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { stringify } from 'yaml';
import { run } from '../../../src/cli/commands/run.ts';
import { s3Double } from '../../support/s3-double.ts';
import { recordedIo } from '../io.ts';

async function stage(t: Test) {
  const s3 = await s3Double();
  t.teardown(() => s3.close());
  const own = { accessKeyIdFile: 'the-services-own', secretAccessKeyFile: 'the-services-own' };
  const folder = t.testdir({ id: 'ADMINKEY\n', secret: 'an-admins-secret\n', 'the-services-own': 'SERVICE' });
  const settings = { bucket: 'quayside', endpoint: s3.endpoint, pathStyle: true };
  const files = Object.fromEntries(Object.entries(own).map(([key, name]) => [key, join(folder, name)]));
  const text = stringify({
    store: { s3: { ...settings, ...files } },
    spool: { path: join(folder, 'spool') },
  });
  const config = join(folder, 'quayside.yaml');
  await writeFile(config, text);
  const credentials = [
    ...['--access-key-id-file', join(folder, 'id')],
    ...['--secret-access-key-file', join(folder, 'secret')],
  ];
  return {
    s3,
    ensure: async (...words: readonly string[]) => {
      const io = recordedIo();
      const code = await run(['bucket', 'ensure', '--config', config, ...credentials, ...words], io);
      return { code, out: io.out(), err: io.err() };
    },
    writes: () =>
      s3.requests
        .splice(0)
        .flatMap(({ operation }) => (/^(?:PutB|PutP|Create)/.test(operation) ? [operation] : [])),
  };
}

test('without --confirm the plan is printed and nothing is changed', async (t) => {
  const { s3, ensure, writes } = await stage(t);
  s3.bucket.exists = false;
  const { code, out } = await ensure('--tag', 'team=ci', '--cleanup-days', '3');
  t.equal(code, 0);
  t.match(out, /^bucket quayside at http:.* does not exist; plan:\n {2}create the bucket\n/);
  t.match(out, /tag it team=ci, quayside\/quayside=owned/);
  t.match(out, /multipart uploads after 3 d\nnothing was changed; --confirm makes these changes\n$/);
  t.same(writes(), []);
});

test('with it the bucket is made by credentials that are not those of the service, and its conditions shown', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.exists = false;
  const { code, out } = await ensure('--confirm');
  t.equal(code, 0, out);
  t.match(out, /done: create the bucket\n/);
  t.match(out, /StorageIncompleteUploadCleanupEnabled {2}True {5}Enable Cleanup Successful/);
  t.notMatch(out, /False/);
  t.ok(s3.requests.every(({ headers }) => headers.authorization?.includes('Credential=ADMINKEY/')));
  // Gateways behind one address may each know other settings.
  t.ok(s3.requests.every(({ headers }) => headers.connection === 'close'));
  const again = await ensure('--confirm');
  t.match(again, { code: 0, out: /lacks nothing/ });
});

test('a bucket of a user is not changed, and that is said', async (t) => {
  const { ensure, writes } = await stage(t);
  const { code, out } = await ensure('--confirm');
  t.equal(code, 0);
  t.match(out, /is user supplied: .*nothing is changed\nin a bucket of ours it would:\n {2}tag it/);
  t.same(writes(), []);
});

test('a bucket that S3 does not show, and a refused change, exit with 1', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.switches.refuses = { HeadBucket: [403, 'Forbidden'], ListObjectsV2: [403, 'AccessDenied'] };
  t.match(await ensure('--confirm'), { code: 1, out: /cannot tell the bucket: AccessDenied: / });
  s3.switches.refuses = { PutBucketEncryption: [403, 'AccessDenied'] };
  s3.bucket.exists = false;
  t.match(await ensure('--confirm'), {
    code: 1,
    out: /failed: enable default AES256 encryption: AccessDenied/,
  });
  s3.bucket.settings.delete('encryption');
  s3.switches.refuses = { PutBucketEncryption: [501, 'NotImplemented'] };
  t.match(await ensure('--confirm'), { code: 0, out: /not offered by this server: enable default/ });
});

test('a created bucket that could not be tagged is told with what to do about it', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.exists = false;
  s3.switches.refuses = { PutBucketTagging: [403, 'AccessDenied'] };
  t.match(await ensure('--confirm'), {
    code: 1,
    out: /^failed: tag it quayside\/quayside=owned: AccessDenied: .*; without these tags .* set them$/m,
  });
});

test('mistakes in the command line exit with 2', async (t) => {
  const { ensure } = await stage(t);
  for (const words of [['--tag', 'x'], ['--cleanup-days', '0'], ['word'], ['--session-token']])
    t.equal((await ensure(...words)).code, 2, words.join(' '));
  const io = recordedIo();
  t.equal(await run(['bucket', 'ensure'], io), 2);
  t.match(io.err(), /needs --config FILE/);
});

test('-o json prints one document of plan, changes and conditions', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.exists = false;
  const planned = JSON.parse((await ensure('-o', 'json')).out);
  t.match(planned, { bucket: /^bucket quayside at /, owner: 'none', changes: [], conditions: [] });
  const { plan, changes, conditions } = JSON.parse((await ensure('-o', 'json', '--confirm')).out);
  t.same(plan, planned.plan);
  t.same(
    changes.map(({ change, isDone }: { change: string; isDone: boolean }) => [change, isDone]),
    plan.map((change: string) => [change, true]),
  );
  t.match(conditions[0], { type: /./, status: 'True', reason: /./, message: /./ });
});
