import { join } from 'node:path';
import { hash } from 'bcryptjs';
import { type Test, test } from 'tap';
import { until } from '../support/bodies.ts';
import type { Misbehaviours } from '../support/registry-misbehaviours.ts';
import { type S3Double, s3Double } from '../support/s3-double.ts';
import { type BadDay, badDay, digestOrCut, exchanged, getRaw, temporary } from './rig.ts';

/** Nothing but a leak could bring one of these into a log. */
const secret = {
  client: 'client-9f27ab51',
  wrong: 'wrong-77c01d3e',
  upstream: 'upstream-5b8e40c2',
  signature: 'signature-c4d1e7f0',
  s3Id: 'AKIA5D0C2B7E',
  s3Key: 's3-key-1e6a93bd',
} as const;

const basic = (password: string) => `Basic ${Buffer.from(`robot:${password}`).toString('base64')}`;

test('no credential of a client is in the log, the metrics or an answer', async (t) => {
  const rig = await withRobots(t);
  const heard: string[] = [];
  const say = async (response: Promise<Response>) => heard.push(await told(await response));
  const granted = await fetch(`${rig.url}/v2/auth?service=x&scope=repository:openshift/ci:pull`, {
    headers: { authorization: basic(secret.client) },
  });
  const { token } = (await granted.json()) as { token: string };
  for (const authorization of [
    basic(secret.client),
    basic(secret.wrong),
    `Bearer ${token}`,
    `Bearer ${token.slice(0, -3)}abc`,
    `Bearer ${secret.wrong}`,
    `Token ${secret.wrong}`,
    secret.wrong,
  ]) {
    for (const path of ['manifests/tools', 'manifests/..', 'tags/list', `blobs/${rig.layer.digest}`])
      await say(rig.get(path, { headers: { authorization } }));
    await say(fetch(`${rig.url}/v2/`, { headers: { authorization } }));
    await say(
      getRaw(rig.url, '/nowhere', `Authorization: ${authorization}`, `Cookie: session=${secret.client}`),
    );
    await say(getRaw(rig.url, '/v2/', `Authorization: ${authorization}`, `X-Junk: ${'x'.repeat(70_000)}`));
  }
  for (const password of [secret.wrong, `${secret.wrong}%`]) {
    const body = `grant_type=password&username=robot&password=${password}&client_id=${secret.wrong}`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    await say(fetch(`${rig.url}/v2/auth`, { method: 'POST', headers, body }));
    await say(fetch(`${rig.url}/v2/auth`, { method: 'POST', headers: { 'content-type': 'text/x' }, body }));
  }
  for (const path of [
    `/v2/auth?password=${secret.wrong}`,
    `/v2/openshift/ci/manifests/tools?token=${secret.wrong}`,
    `http://robot:${secret.wrong}@quay.io/v2/openshift/ci/manifests/tools`,
    `/v2/openshift/ci/tags/list?n=x&sig=${secret.wrong}`,
  ]) {
    await say(getRaw(rig.url, path));
  }
  await say(exchanged(rig.url, `GET /v2/ HTTP/1.1\r\nAuthorization ${basic(secret.client)}\r\n\r\n`));
  t.ok(heard.length > 50);
  await holdsNone(t, rig, heard, [
    secret.client,
    secret.wrong,
    token,
    ...encoded(secret.client, secret.wrong),
  ]);
});

/** What an upstream does with our credential. */
const upstreams: Readonly<Record<string, Misbehaviours>> = {
  'takes it for a token': { requiresToken: { user: 'robot', password: secret.upstream, jwtSeconds: 300 } },
  'refuses it for a token': { requiresToken: { user: 'robot', password: 'another' } },
  'fails to give a token': { requiresToken: { status: 500 } },
  'gives a token that buys nothing': {
    requiresToken: { user: 'robot', password: secret.upstream, isPrivate: true, jwtSeconds: 300 },
  },
  'names a realm with a password in it': {
    requiresToken: { realm: `http://x:${secret.signature}@10.0.0.1/token?sig=${secret.signature}` },
  },
  'takes it as it is': { requiresBasic: { user: 'robot', password: secret.upstream } },
  'refuses it as it is': { requiresBasic: { user: 'robot', password: 'another' } },
  'redirects to a signed URL': {
    requiresBasic: { user: 'robot', password: secret.upstream },
    redirectsBlobs: true,
  },
  'redirects to a signed URL that fails': {
    requiresBasic: { user: 'robot', password: secret.upstream },
    redirectsTo: `http://127.0.0.1:1/x?X-Amz-Signature=${secret.signature}`,
  },
  'redirects to a signed URL inside': {
    requiresBasic: { user: 'robot', password: secret.upstream },
    redirectsTo: `http://u:${secret.signature}@10.0.0.1/x?X-Amz-Signature=${secret.signature}`,
  },
  'repeats it in its errors': {
    status: { of: 'everything', code: 400, error: `UNAUTHORIZED ${secret.upstream}` },
  },
  'is down': { down: true },
};

for (const [what, switches] of Object.entries(upstreams)) {
  test(`no credential of ours is told when the upstream ${what}`, async (t) => {
    const files = await temporary(t, { user: 'robot', password: secret.upstream });
    const credentials = { usernameFile: join(files, 'user'), passwordFile: join(files, 'password') };
    const isInside = what.endsWith('inside') || what.includes('realm');
    const rig = await badDay(t, { upstream: { credentials, retries: 0, allowPrivateAddresses: !isInside } });
    Object.assign(rig.double.switches, switches);
    const heard: string[] = [];
    for (const path of [
      'manifests/tools',
      `blobs/${rig.layer.digest}`,
      'tags/list',
      `referrers/${rig.image.digest}`,
    ])
      for (const method of ['GET', 'HEAD']) heard.push(await told(await rig.get(path, { method })));
    const shown = rig.double.requests.flatMap(({ headers }) => headers.authorization?.split(' ')[1] ?? []);
    const secrets = [
      secret.upstream,
      secret.signature,
      'signature=secret',
      ...encoded(secret.upstream),
      ...shown,
    ];
    await holdsNone(t, rig, heard, secrets);
  });
}

for (const [what, trouble] of [
  ['serves', {}],
  ['is down', { down: true }],
  ['loses objects', { losesObjects: true }],
] as const) {
  test(`no key of S3 is told when it ${what}`, async (t) => {
    const { rig, s3 } = await overS3(t, 'never');
    Object.assign(s3.switches, trouble);
    const heard = [await told(await rig.get('manifests/tools')), await told(await rig.get('manifests/none'))];
    for (let times = 0; times < 2; times += 1) await digestOrCut(await rig.getLayer());
    await holdsNone(t, rig, heard, [...s3Secrets(s3)]);
  });
}

test('a presigned URL is for the client that is sent there, and for no log', async (t) => {
  const { rig, s3 } = await overS3(t, 'always');
  await digestOrCut(await rig.getLayer());
  await until(async () => (await rig.metrics()).includes('quayside_fills_total{outcome="stored"} 1'));
  await rig.double.close();
  const redirect = await rig.getLayer();
  const location = redirect.headers.get('location') ?? '';
  const signature = new URL(location).searchParams.get('X-Amz-Signature') ?? '';
  t.match(redirect, { status: 307 });
  t.equal(redirect.headers.get('cache-control'), 'no-store');
  t.match(signature, /^[0-9a-f]{64}$/);
  await holdsNone(t, rig, [await redirect.text()], [signature, 'X-Amz-Credential', ...s3Secrets(s3)]);
});

/** Everything of an answer. */
async function told(response: Response): Promise<string> {
  return `${JSON.stringify([...response.headers])} ${await response.text()}`;
}

/** Looks for the secrets wherever a client or operator may read. */
async function holdsNone(t: Test, rig: BadDay, heard: readonly string[], secrets: readonly string[]) {
  const metrics = await rig.metrics();
  await rig.stop();
  const places = { log: rig.logText(), metrics, answers: heard.join('\n') };
  t.match(places.log, /"path":"\/v2\/openshift\/ci\//, 'there is a log');
  for (const [place, text] of Object.entries(places)) {
    t.same(
      secrets.filter((each) => text.includes(each)),
      [],
      `in the ${place}`,
    );
  }
}

function encoded(...passwords: readonly string[]): readonly string[] {
  return passwords.flatMap((each) => [basic(each).slice('Basic '.length), encodeURIComponent(each)]);
}

function s3Secrets({ requests }: S3Double): readonly string[] {
  const signatures = requests.flatMap(
    ({ headers }) => /Signature=(\w+)/.exec(headers.authorization ?? '')?.[1] ?? [],
  );
  return [secret.s3Key, ...new Set(signatures)];
}

/** The service, letting in one robot only. */
async function withRobots(t: Test): Promise<BadDay> {
  const directory = await temporary(t, { htpasswd: `robot:${await hash(secret.client, 4)}\n` });
  const robots = { htpasswdFile: join(directory, 'htpasswd') };
  return badDay(t, { settings: { hosts: { '*': { auth: 'robots', robots } } } });
}

async function overS3(t: Test, redirect: 'always' | 'never') {
  const s3 = await s3Double();
  t.teardown(() => s3.close());
  const directory = await temporary(t, { id: secret.s3Id, key: secret.s3Key });
  const keys = { accessKeyIdFile: join(directory, 'id'), secretAccessKeyFile: join(directory, 'key') };
  const store = { s3: { bucket: 'blobs', endpoint: s3.endpoint, pathStyle: true, redirect, ...keys } };
  return { s3, rig: await badDay(t, { settings: { store, spool: { path: join(directory, 'spool') } } }) };
}
