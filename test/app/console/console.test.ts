import { type Test, test } from 'tap';
import type { ConsoleSections, FailureFigures } from '../../../src/console/wire/messages.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { accessRig, ciHost, ciRepository } from '../../support/access-rig.ts';
import { until } from '../../support/bodies.ts';
import { type ServiceRig, type ServiceRigOptions, serviceRig } from '../../support/service.ts';

const tokens = {
  ann: 'sha256~ann-may-pull-4.20-and-nothing-else-here',
  bob: 'sha256~bob-may-pull-nothing-at-all-in-this-test',
  eve: 'sha256~eve-may-pull-4.20-and-also-4.21-in-this-test',
} as const;

/** A service whose console is asked as from its own host. */
async function consoleStage(t: Test, options: ServiceRigOptions = {}) {
  const rig = await serviceRig(t, options);
  return { rig, ...consoleOf(rig) };
}

function consoleOf(rig: ServiceRig) {
  const admin = `http://${rig.service.adminAddress}`;
  const get = async (path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${admin}/console/${path}`, { headers });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  return { admin, get };
}

/** What the first message of the stream has. */
async function snapshot(admin: string, token?: string): Promise<Partial<ConsoleSections>> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${admin}/console/events`, { headers });
  let text = '';
  for await (const chunk of (answer.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const [, data] = /event: snapshot\ndata: (.*)\n\n/.exec(text) ?? [];
    if (data !== undefined) return JSON.parse(data);
  }
  throw new Error(`no snapshot in ${text}`);
}

async function pulled({ url, double }: ServiceRig): Promise<string> {
  const { digest } = double.addImage('team/app', 'v1');
  await (await fetch(`${url}/v2/team/app/manifests/v1`)).arrayBuffer();
  return digest;
}

test('operators are told of conditions, traffic, upstreams, storage and failures', async (t) => {
  const { rig, admin } = await consoleStage(t, {
    settings: { admin: { listen: '127.0.0.1:0', pricePerGB: 0.09 } },
  });
  await pulled(rig);
  await (await fetch(`${rig.url}/v2/team/app/manifests/missing`)).arrayBuffer();
  // Requests are counted, and remembered, just after their answers.
  let told = await snapshot(admin);
  while (told.traffic?.kinds['manifest'] !== 2 || told.failures?.length !== 1) told = await snapshot(admin);
  t.match(told, {
    service: { pricePerGB: 0.09, hasMirror: false, hasFleet: false, version: /^\d/ },
    conditions: { conditions: [{ type: 'Available' }, { type: 'Progressing' }, { type: 'Degraded' }] },
    traffic: { kinds: { manifest: 2 }, classes: { '2xx': 1, '4xx': 1 } },
    upstreams: [{ name: 'quay.io', breaker: 'closed', throttled: 0 }],
    storage: [
      { use: 'store', diskFreeBytes: Number },
      { use: 'spool', bytes: Number },
    ],
    fills: { shown: [], more: 0 },
    failures: [{ status: 404, path: '/v2/team/app/manifests/missing', message: /quay\.io/ }],
  });
  t.ok(told.upstreams?.[0]?.medianMs);
  t.ok(told.storage?.[0]?.diskFreeBytes);
});

test('a download under way is told with how far it has come, and for how many requests', async (t) => {
  const { rig, admin } = await consoleStage(t);
  const bytes = Buffer.alloc(3_000_000, 'x');
  const digest = rig.double.addBlob('team/app', bytes);
  rig.double.switches.stallsAfter = { bytes: 1_000_000, times: 1 };
  const ending = new AbortController();
  const path = `${rig.url}/v2/team/app/blobs/${digest}`;
  const readers = [1, 2].map(() => fetch(path, { signal: ending.signal }).catch(() => undefined));
  let fill: ConsoleSections['fills']['shown'][number] | undefined;
  while (fill === undefined || fill.receivedBytes === 0 || fill.requests < 2)
    [fill] = (await snapshot(admin)).fills?.shown ?? [];
  t.match(fill, { upstream: 'quay.io', repository: 'team/app', digest, size: bytes.byteLength, requests: 2 });
  t.ok(fill.receivedBytes < bytes.byteLength);
  ending.abort();
  await Promise.all(readers);
});

test('content leads from repositories to tags, the manifest, its parts and their use', async (t) => {
  const { rig, get } = await consoleStage(t, { settings: { eviction: { pins: ['quay.io/team/.*'] } } });
  const digest = await pulled(rig);
  const found = async (path: string) => (await get(path)).body;
  let list = await found('content');
  while (!JSON.stringify(list).includes('team/app')) list = await found('content');
  t.match(list, {
    repositories: [{ upstream: 'quay.io', repository: 'team/app', tags: 1 }],
    isPartial: false,
  });
  t.same(await found('content?search=nothing'), { repositories: [], isPartial: false });
  const scope = 'upstream=quay.io&repository=team/app';
  t.match(await found(`content?${scope}`), { tags: [{ tag: 'v1', writtenAt: Number }] });
  const shown = await found(`content?${scope}&tag=v1`);
  t.match(shown, { tag: 'v1', digest, isStored: true, pin: 'quay.io/team/.*', history: [] });
  t.match((shown['parts'] as object[])[0], { digest: /^sha256:/, isManifest: false, tags: ['v1'] });
  t.match(await found(`content?${scope}&digest=${digest}`), { digest, isStored: true });
  for (const path of [`content?${scope}&tag=v2`, 'content?upstream=quay.io&repository=team/other'])
    t.equal((await get(path)).status, 404, path);
  t.equal((await get('content?upstream=quay.io&repository=UPPER')).status, 400);
});

test('the plan of an eviction is shown, and nothing is deleted', async (t) => {
  const { rig, get } = await consoleStage(t, { settings: { eviction: { maxBytes: '1MiB' } } });
  await pulled(rig);
  const { status, body } = await get('eviction?percent=0');
  t.equal(status, 200);
  t.match(
    body,
    { percent: 0, isLimited: true, ofBytes: 1_048_576, gone: 0, kept: { pinned: 0 } },
    'it is too young',
  );
  t.equal((await get('eviction?percent=101')).status, 400);
  t.equal((await get('eviction')).status, 400);
});

test('images that failed in a file of a job are named, with what the file says of each', async (t) => {
  const { admin } = await consoleStage(t);
  const file = {
    items: [
      {
        metadata: { namespace: 'ci-op-1', name: 'stable' },
        spec: {
          tags: [{ name: 'cli', from: { kind: 'DockerImage', name: 'quay.io/openshift/ci:ocp_4.20_cli' } }],
        },
        status: {
          tags: [
            {
              tag: 'cli',
              conditions: [{ type: 'ImportSuccess', status: 'False', reason: 'NotFound', message: 'gone' }],
            },
          ],
        },
      },
    ],
  };
  const sent = (name: string, body: string) =>
    fetch(`${admin}/console/job-file?name=${name}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/plain' },
    });
  t.match(await (await sent('imagestreams.json', JSON.stringify(file))).json(), {
    images: [
      { text: 'ci-op-1/stable:cli', image: 'quay.io/openshift/ci:ocp_4.20_cli', finding: { mark: 'wrong' } },
    ],
    more: 0,
  });
  const log = 'step 1\nerror: cannot pull quay.io/team/app:v1: not found\n';
  t.match(await (await sent('ci-operator.log', log)).json(), { images: [{ text: 'quay.io/team/app:v1' }] });
  t.equal((await sent('broken.json', '{')).status, 400);
});

test('a user of a cluster sees its own failures and what it may pull, and nothing else', async (t) => {
  const rig = await accessRig(t, {
    people: {
      users: { [tokens.ann]: { username: 'ann' }, [tokens.bob]: { username: 'bob' } },
      bindings: [{ to: 'ann', namespace: 'ocp', name: '4.20' }],
    },
    settings: {
      admin: { listen: '127.0.0.1:0', cluster: 'app.ci' },
      hosts: { [ciHost]: { auth: 'cluster', upstream: 'quay.io', access: 'imagestream' } },
    },
  });
  const { admin, get } = consoleOf(rig);
  const tag = 'ocp_4.20_cli';
  rig.double.addImage(ciRepository, tag);
  const pull = async (token: string) =>
    (await rig.get(`/v2/${ciRepository}/manifests/${tag}`, await rig.login(token))).status;
  t.equal(await pull(tokens.ann), 200);
  t.equal(await pull(tokens.bob), 403);
  for (const path of ['settings', 'eviction?percent=80']) t.equal((await get(path, tokens.bob)).status, 403);
  const own = await snapshot(admin, tokens.bob);
  t.same(Object.keys(own), ['failures']);
  t.match(own.failures, [{ status: 403, subject: 'bob' }] as Partial<FailureFigures>[]);
  t.same((await snapshot(admin, tokens.ann)).failures, []);
  const scope = `content?upstream=quay.io&repository=${ciRepository}`;
  while ((await get(scope, tokens.ann)).status !== 200);
  t.match((await get(`${scope}&tag=${tag}`, tokens.ann)).body, { tag });
  t.match((await get('content', tokens.ann)).body, { repositories: [{ repository: ciRepository }] });
  t.same((await get('content', tokens.bob)).body, { repositories: [], isPartial: false });
  for (const path of [scope, `${scope}&tag=${tag}`]) t.equal((await get(path, tokens.bob)).status, 404, path);
});

test('a reader is shown no tag, and no count of tags, that it may not pull', async (t) => {
  const rig = await accessRig(t, {
    people: {
      users: { [tokens.ann]: { username: 'ann' }, [tokens.eve]: { username: 'eve' } },
      bindings: [
        { to: 'ann', namespace: 'ocp', name: '4.20' },
        { to: 'eve', namespace: 'ocp', name: '4.20' },
        { to: 'eve', namespace: 'ocp', name: '4.21' },
      ],
    },
    settings: {
      admin: { listen: '127.0.0.1:0', cluster: 'app.ci' },
      eviction: { pins: ['quay.io/.*'] },
      hosts: { [ciHost]: { auth: 'cluster', upstream: 'quay.io', access: 'imagestream' } },
    },
  });
  const { get } = consoleOf(rig);
  const [shared, other] = ['ocp_4.20_cli', 'ocp_4.21_cli'] as const;
  const { manifest } = rig.double.addImage(ciRepository, shared);
  rig.double.addManifest(ciRepository, manifest, mediaTypes.ociManifest, shared, other);
  for (const tag of [shared, other]) {
    const login = await rig.login(tokens.eve);
    t.equal((await rig.get(`/v2/${ciRepository}/manifests/${tag}`, login)).status, 200);
  }
  const scope = `content?upstream=quay.io&repository=${ciRepository}`;
  const partsOf = async (token: string) =>
    JSON.stringify((await get(`${scope}&tag=${shared}`, token)).body['parts']);
  for (let tries = 0; tries < 200 && !(await partsOf(tokens.eve))?.includes(other); tries += 1);
  t.match(await partsOf(tokens.eve), other);
  t.match(await partsOf(tokens.ann), shared);
  t.notMatch(await partsOf(tokens.ann), other);
  const { body } = await get(`${scope}&tag=${shared}`, tokens.ann);
  t.equal(body['pin'], undefined, 'nor settings');
  const contents = async (token: string) => JSON.stringify((await get('content', token)).body);
  await until(async () => /"tags":2/.test(await contents(tokens.eve)), 'the records of both tags');
  t.match((await get('content', tokens.ann)).body, { repositories: [{ tags: 1 }] });
  t.match((await get('content', tokens.eve)).body, { repositories: [{ tags: 2 }] });
});
