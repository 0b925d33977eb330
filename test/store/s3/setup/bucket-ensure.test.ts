import { type Test, test } from 'tap';
import { foundBucket, madeSteps } from '../../../../src/store/s3/setup/bucket-ensure.ts';
import { bucketPlan, stepText, type WantedBucket } from '../../../../src/store/s3/setup/bucket-plan.ts';
import { bucketRig } from './bucket-rig.ts';

const wanted: WantedBucket = {
  identity: 'quayside',
  tags: { team: 'ci' },
  encryption: { algorithm: 'AES256' },
  prefix: 'cache/',
  cleanupDays: 1,
};

const atOnce = { pauseMs: 0 };

async function stage(t: Test) {
  const rig = await bucketRig(t);
  const plan = async () => bucketPlan(await foundBucket(rig.bucket), wanted);
  return {
    ...rig,
    plan,
    /** Plans and acts; the texts of all steps, with the code of those that were refused. */
    ensure: async () => {
      const texts: string[] = [];
      for await (const { step, refused } of madeSteps(rig.bucket, await plan(), wanted, atOnce))
        texts.push(`${stepText(step)}${refused === undefined ? '' : `: ${refused.code}`}`);
      return texts;
    },
  };
}

const all = [
  'create the bucket',
  'tag it team=ci, quayside/quayside=owned',
  'block all public access',
  'enable default AES256 encryption',
  'add a lifecycle rule that aborts incomplete multipart uploads after 1 d',
];
const tagging = (tags: Readonly<Record<string, string>>) =>
  `<Tagging><TagSet>${Object.entries(tags)
    .map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`)
    .join('')}</TagSet></Tagging>`;
const writes = (operations: readonly string[]) =>
  operations.filter((name) => /^(?:PutB|PutP|Create)/.test(name));

test('a missing bucket is created with all its settings, the tag first, and a rerun changes nothing', async (t) => {
  const { s3, ensure, plan, operations } = await stage(t);
  s3.bucket.exists = false;
  t.match(await plan(), { owner: 'none' });
  t.same(writes(operations()), []);
  t.same(await ensure(), all);
  t.same(writes(operations()), [
    'CreateBucket',
    'PutBucketTagging',
    'PutPublicAccessBlock',
    'PutBucketEncryption',
    'PutBucketLifecycleConfiguration',
  ]);
  t.same(await plan(), { owner: 'ours', steps: [], untold: [] });
  t.same(await ensure(), []);
});

test('a bucket that a user supplied is not changed, whatever it lacks', async (t) => {
  const { s3, ensure, plan, operations } = await stage(t);
  for (const tags of [undefined, { team: 'other' }, { 'quayside/other': 'owned' }]) {
    if (tags !== undefined) s3.bucket.settings.set('tagging', tagging(tags));
    t.match(await plan(), { owner: 'user supplied', steps: { length: 4 } });
    t.same(await ensure(), []);
  }
  t.same(writes(operations()), []);
});

test('a bucket whose tags cannot be read is not changed', async (t) => {
  const { s3, ensure, plan } = await stage(t);
  s3.switches.refuses = { GetBucketTagging: [403, 'AccessDenied'] };
  t.match(await plan(), { owner: 'unknown', steps: [], untold: [/^tags: AccessDenied/] });
  t.same(await ensure(), []);
});

test('tags and rules that are there are kept', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.settings.set('tagging', tagging({ 'quayside/quayside': 'owned', costs: '4711', team: 'x' }));
  s3.bucket.settings.set(
    'lifecycle',
    '<LifecycleConfiguration><Rule><ID>cold</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>',
  );
  t.equal((await ensure())[0], 'tag it team=ci');
  const tags = s3.bucket.settings.get('tagging') ?? '';
  for (const part of ['costs', '4711', 'quayside/quayside', 'ci']) t.ok(tags.includes(part), part);
  t.notOk(tags.includes('<Value>x</Value>'));
  const rules = s3.bucket.settings.get('lifecycle') ?? '';
  for (const part of ['cold', 'logs/', '<Days>30</Days>', 'cache/', '<DaysAfterInitiation>1<'])
    t.ok(rules.includes(part), part);
});

test('a rule joins older ones in their form, as S3 refuses two forms in one list', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.settings.set('tagging', tagging({ 'quayside/quayside': 'owned', team: 'ci' }));
  s3.bucket.settings.set(
    'lifecycle',
    '<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status><Prefix>logs/</Prefix><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>',
  );
  await ensure();
  const rules = s3.bucket.settings.get('lifecycle') ?? '';
  t.notOk(rules.includes('<Filter>'));
  t.ok(rules.includes('<Prefix>cache/</Prefix>'));
});

test('what the server does not implement keeps from nothing else', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.exists = false;
  s3.switches.refuses = {
    PutBucketEncryption: [501, 'NotImplemented'],
    PutPublicAccessBlock: [403, 'AccessDenied'],
  };
  t.same(await ensure(), [all[0], all[1], `${all[2]}: AccessDenied`, `${all[3]}: NotImplemented`, all[4]]);
});

test('a name that another owner has ends it, and no second bucket is made', async (t) => {
  const { s3, ensure, operations } = await stage(t);
  s3.bucket.exists = false;
  s3.switches.refuses = { CreateBucket: [409, 'BucketAlreadyExists'] };
  t.same(await ensure(), [`${all[0]}: BucketAlreadyExists`]);
  t.same(writes(operations()), ['CreateBucket']);
});

test('a bucket that another process created and tagged meanwhile is left alone', async (t) => {
  const { s3, bucket, plan, operations } = await stage(t);
  s3.bucket.exists = false;
  const planned = await plan();
  s3.bucket.settings.set('tagging', tagging({ team: 'other' }));
  const outcomes = await Array.fromAsync(madeSteps(bucket, planned, wanted, atOnce));
  t.match(outcomes, [{ step: { kind: 'create' }, refused: { code: 'UserSupplied' } }]);
  t.same(writes(operations()), ['CreateBucket']);
});

test('a created bucket whose tags cannot be read may be another one, and is left alone', async (t) => {
  const { s3, ensure, operations } = await stage(t);
  s3.bucket.exists = false;
  s3.switches.refuses = { GetBucketTagging: [403, 'AccessDenied'] };
  t.same(await ensure(), [`${all[0]}: AccessDenied`]);
  t.same(writes(operations()), ['CreateBucket']);
});

test('a server without tags has the rest of the settings', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.exists = false;
  const none = [501, 'NotImplemented'] as const;
  s3.switches.refuses = { GetBucketTagging: none, PutBucketTagging: none };
  t.same(await ensure(), [all[0], `${all[1]}: NotImplemented`, ...all.slice(2)]);
});

test('tags and rules that came after the plan are kept, and a bucket that is no longer ours too', async (t) => {
  const { s3, bucket, plan } = await stage(t);
  s3.bucket.settings.set('tagging', tagging({ 'quayside/quayside': 'owned' }));
  const planned = await plan();
  s3.bucket.settings.set('tagging', tagging({ 'quayside/quayside': 'owned', costs: '4711' }));
  s3.bucket.settings.set(
    'lifecycle',
    '<LifecycleConfiguration><Rule><ID>cold</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>',
  );
  await Array.fromAsync(madeSteps(bucket, planned, wanted, atOnce));
  t.match(s3.bucket.settings.get('tagging'), '4711');
  t.match(s3.bucket.settings.get('tagging'), 'team');
  t.match(s3.bucket.settings.get('lifecycle'), 'cold');
  t.match(s3.bucket.settings.get('lifecycle'), 'cache/');
  s3.bucket.settings.set('tagging', tagging({ team: 'other' }));
  const outcomes = await Array.fromAsync(madeSteps(bucket, planned, wanted, atOnce));
  t.match(outcomes[0], { step: { kind: 'tag' }, refused: { code: 'UserSupplied' } });
  t.notMatch(s3.bucket.settings.get('tagging'), 'owned');
});

test('a block of public access with which the server refuses every write is taken back', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.exists = false;
  s3.switches.refusesBlocked = true;
  t.equal((await ensure())[2], `${all[2]}: WritesRefused`);
  t.notOk(s3.bucket.settings.has('publicAccessBlock'));
  const partial =
    '<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>';
  s3.switches.refusesBlocked = false;
  s3.bucket.settings.set('publicAccessBlock', partial);
  t.same(await ensure(), [all[2]]);
  t.match(s3.bucket.settings.get('publicAccessBlock'), /<RestrictPublicBuckets>true</);
});

test('a block is not taken back because the credentials may not write objects', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.exists = false;
  s3.switches.refuses = { PutObject: [403, 'AccessDenied'] };
  t.equal((await ensure())[2], all[2]);
  t.ok(s3.bucket.settings.has('publicAccessBlock'));
});

test('a block that gateways notice only after some writes is taken back too', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.switches.refusesBlocked = true;
  for (const writesBefore of [1, 2, 3, 8]) {
    s3.bucket.exists = false;
    s3.bucket.settings.clear();
    s3.switches.noticesBlockAfter = writesBefore;
    t.equal((await ensure())[2], `${all[2]}: WritesRefused`, `${writesBefore} writes`);
    t.notOk(s3.bucket.settings.has('publicAccessBlock'));
  }
});

test('a first write that fails does not hide that the block refuses every write', async (t) => {
  const { s3, ensure } = await stage(t);
  s3.bucket.exists = false;
  s3.switches.refusesBlocked = true;
  s3.switches.losesPutAnswers = 1;
  t.equal((await ensure())[2], `${all[2]}: WritesRefused`);
  t.notOk(s3.bucket.settings.has('publicAccessBlock'));
});

test('public access is not blocked while the server does not say whether it takes writes', async (t) => {
  const { s3, ensure, operations } = await stage(t);
  s3.bucket.exists = false;
  s3.switches.losesPutAnswers = Number.POSITIVE_INFINITY;
  t.equal((await ensure())[2], `${all[2]}: WritesUntold`);
  t.notOk(operations().includes('PutPublicAccessBlock'));
});

test('a block that cannot be taken back is told as such', async (t) => {
  const { s3, bucket, plan } = await stage(t);
  s3.bucket.exists = false;
  s3.switches.refusesBlocked = true;
  s3.switches.refuses = { DeletePublicAccessBlock: [501, 'NotImplemented'] };
  const outcomes = await Array.fromAsync(madeSteps(bucket, await plan(), wanted, atOnce));
  t.match(outcomes[2], { refused: { code: 'NotTakenBack', message: /NotImplemented.*by hand/ } });
});
