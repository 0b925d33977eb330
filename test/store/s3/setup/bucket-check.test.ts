import { type Test, test } from 'tap';
import { createBucketCheck } from '../../../../src/store/s3/setup/bucket-check.ts';
import { bucketConditionTypes } from '../../../../src/store/s3/setup/bucket-conditions.ts';
import { bucketRig } from './bucket-rig.ts';

async function stage(t: Test) {
  const rig = await bucketRig(t);
  const check = createBucketCheck(rig.bucket, {
    place: 'the bucket quayside',
    identity: 'quayside',
    prefix: 'cache/',
  });
  return {
    ...rig,
    /** All conditions by their types, as `status reason`. */
    all: async () => {
      const settings = await check.settings();
      const found = [...(await check.presence()), ...settings];
      return Object.fromEntries(
        bucketConditionTypes.map((type, index) => [type, `${found[index]?.status} ${found[index]?.reason}`]),
      );
    },
    check,
  };
}

const rule = (filter: string, status = 'Enabled') =>
  `<LifecycleConfiguration><Rule><ID>theirs</ID><Status>${status}</Status>${filter}` +
  '<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>' +
  '</Rule></LifecycleConfiguration>';

test('a bucket without settings is user supplied, and lacks each of them by the code of S3', async (t) => {
  const { all } = await stage(t);
  t.same(await all(), {
    StorageExists: 'True S3 Bucket Exists',
    StorageClock: 'True In Sync',
    StorageTagged: 'False NoSuchTagSet',
    StorageEncrypted: 'False ServerSideEncryptionConfigurationNotFoundError',
    StoragePublicAccessBlocked: 'False NoSuchPublicAccessBlockConfiguration',
    StorageIncompleteUploadCleanupEnabled: 'False NoSuchLifecycleConfiguration',
    StorageConditionalWrites: 'True Conditional Writes Supported',
  });
});

test('one with all settings is told in the words of the registry operator', async (t) => {
  const { s3, check } = await stage(t);
  s3.bucket.settings.set(
    'tagging',
    '<Tagging><TagSet><Tag><Key>quayside/quayside</Key><Value>owned</Value></Tag></TagSet></Tagging>',
  );
  s3.bucket.settings.set(
    'encryption',
    '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>',
  );
  const blocks = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'];
  const block = (names: readonly string[]) =>
    `<PublicAccessBlockConfiguration>${names.map((name) => `<${name}>true</${name}>`).join('')}</PublicAccessBlockConfiguration>`;
  s3.bucket.settings.set('publicAccessBlock', block(blocks));
  s3.bucket.settings.set('lifecycle', rule('<Filter><Prefix></Prefix></Filter>'));
  const [tagged, encrypted, blocked, cleanup] = await check.settings();
  t.same(tagged, {
    status: 'True',
    reason: 'Tagging Successful',
    message: 'Tags were successfully applied to the S3 bucket',
  });
  t.same(encrypted, {
    status: 'True',
    reason: 'Encryption Successful',
    message: 'Default AES256 encryption was successfully enabled on the S3 bucket',
  });
  t.match(blocked, { status: 'True', reason: 'Public Access Block Successful' });
  t.same(cleanup, {
    status: 'True',
    reason: 'Enable Cleanup Successful',
    message: 'Default cleanup of incomplete multipart uploads after one (1) day was successfully enabled',
  });
  s3.bucket.settings.set('publicAccessBlock', block(blocks.slice(1)));
  t.match((await check.settings())[2], { status: 'False', reason: 'Incomplete' });
});

test('the tag of another identity is that of a user', async (t) => {
  const { s3, check } = await stage(t);
  s3.bucket.settings.set(
    'tagging',
    '<Tagging><TagSet><Tag><Key>quayside/other</Key><Value>owned</Value></Tag></TagSet></Tagging>',
  );
  t.match((await check.settings())[0], { status: 'False', reason: 'User Supplied' });
  t.match((await check.presence())[0].message, /^User supplied S3 bucket exists/);
});

test('a rule that is off, or for a part of the keys, cleans up nothing of ours', async (t) => {
  const { s3, all } = await stage(t);
  const key = 'StorageIncompleteUploadCleanupEnabled';
  for (const [xml, reason] of [
    [rule('<Filter><Prefix>cache/</Prefix></Filter>'), 'True Enable Cleanup Successful'],
    [rule('<Prefix></Prefix>'), 'True Enable Cleanup Successful'],
    [rule('<Filter><Prefix>other/</Prefix></Filter>'), 'False Incomplete'],
    [rule('<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>'), 'False Incomplete'],
    [rule('<Filter><Prefix></Prefix></Filter>', 'Disabled'), 'False Incomplete'],
  ] as const) {
    s3.bucket.settings.set('lifecycle', xml);
    t.equal((await all())[key], reason, xml);
  }
});

test('what S3 does not implement, or refuses to tell, is unknown', async (t) => {
  const { s3, all } = await stage(t);
  s3.switches.refuses = {
    HeadBucket: [403, 'Forbidden'],
    ListObjectsV2: [403, 'AccessDenied'],
    GetBucketTagging: [403, 'AccessDenied'],
    GetBucketEncryption: [501, 'NotImplemented'],
    GetPublicAccessBlock: [405, 'MethodNotAllowed'],
    GetBucketLifecycleConfiguration: [500, 'InternalError'],
    PutObject: [403, 'AccessDenied'],
  };
  t.match(await all(), {
    StorageExists: 'Unknown AccessDenied',
    StorageTagged: 'Unknown AccessDenied',
    StorageEncrypted: 'Unknown NotImplemented',
    StoragePublicAccessBlocked: 'Unknown MethodNotAllowed',
    StorageIncompleteUploadCleanupEnabled: 'Unknown InternalError',
    StorageConditionalWrites: 'Unknown AccessDenied',
  });
});

test('a missing bucket is told by the code of S3, and nothing is told of its settings', async (t) => {
  const { s3, all, check, operations } = await stage(t);
  s3.bucket.exists = false;
  const [exists] = await check.presence();
  t.match(exists, { status: 'False', reason: 'NoSuchBucket' });
  t.match(exists.message, /^the bucket quayside does not exist: .*NoSuchBucket/);
  t.same(operations(), ['HeadBucket', 'ListObjectsV2']);
  for (const [type, text] of Object.entries(await all()))
    if (type !== 'StorageExists' && type !== 'StorageClock') t.equal(text, 'Unknown NoSuchBucket', type);
});

test('an S3 that is gone, or silent, is unknown', async (t) => {
  const { s3, all } = await stage(t);
  s3.switches.down = true;
  const found = await all();
  t.match(found['StorageExists'], /^Unknown E/);
  t.equal(found['StorageClock'], 'Unknown No Answer');
});

test('conditions of writes that S3 ignores are found, and nothing is left behind', async (t) => {
  const { s3, all } = await stage(t);
  s3.switches.ignoresConditions = true;
  t.equal((await all())['StorageConditionalWrites'], 'False Conditional Writes Ignored');
  t.equal(s3.objects.size, 0);
});

test('in a versioned bucket the try of conditional writes leaves no version behind', async (t) => {
  const { s3, all } = await stage(t);
  s3.switches.isVersioned = true;
  t.equal((await all())['StorageConditionalWrites'], 'True Conditional Writes Supported');
  t.equal(s3.versions.size, 0);
  s3.switches.ignoresConditions = true;
  t.equal((await all())['StorageConditionalWrites'], 'False Conditional Writes Ignored');
  t.same([s3.versions.size, s3.objects.size], [0, 0]);
});

test('without the right to delete versions the object of that try is deleted all the same', async (t) => {
  const { s3, all } = await stage(t);
  Object.assign(s3.switches, { isVersioned: true, refusesVersions: true });
  t.equal((await all())['StorageConditionalWrites'], 'True Conditional Writes Supported');
  t.equal(s3.objects.size, 0);
});

test('a clock that differs by more than a minute is found', async (t) => {
  const { s3, check } = await stage(t);
  s3.switches.skewMs = -10 * 60_000;
  t.match((await check.presence())[1], {
    status: 'False',
    reason: 'Clock Skewed',
    message: /^the clock of S3 is (?:599|600|601) s behind ours$/,
  });
  s3.switches.skewMs = 30_000;
  t.match((await check.presence())[1], { status: 'True' });
});
