import { test } from 'tap';
import { until } from './support/bodies.ts';
import type { RecordedRequest } from './support/registry-double.ts';
import { type ServiceRig, type ServiceRigOptions, serviceRig } from './support/service.ts';

/**
 * For each action of a client: exactly which requests the upstream sees. A request more would be a
 * cost on the expensive link, a request less a freshness or a right that was not checked.
 */
interface Row {
  readonly name: string;
  readonly options?: ServiceRigOptions;
  /** Done before anything is counted. */
  readonly before?: (rig: ServiceRig, image: Image) => Promise<unknown>;
  readonly act: (rig: ServiceRig, image: Image) => Promise<unknown>;
  /** `METHOD path`, a blob as its place in the image. */
  readonly upstream: readonly string[];
}

interface Image {
  readonly config: string;
  readonly layer: string;
  readonly manifest: string;
}

const layerBytes = 1_000_000;
const path = '/v2/quay.io/openshift/ci';
const manifestUrl = `${path}/manifests/latest`;

async function get(rig: ServiceRig, url: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(rig.url + url, init);
  await response.arrayBuffer();
  return response;
}

const pullManifest = (rig: ServiceRig) => get(rig, manifestUrl);
const pullLayer = (rig: ServiceRig, { layer }: Image) => get(rig, `${path}/blobs/${layer}`);

async function pullLayerAndStore(rig: ServiceRig, image: Image): Promise<void> {
  await pullManifest(rig);
  await pullLayer(rig, image);
  await until(
    async () => (await rig.metrics()).includes('quayside_fills_total{outcome="stored"} 1'),
    'the stored layer',
  );
}

const times = (count: number, act: () => Promise<unknown>) => Promise.all(Array.from({ length: count }, act));

const rows: readonly Row[] = [
  {
    name: 'a ping',
    act: (rig) => get(rig, '/v2/'),
    upstream: [],
  },
  {
    name: 'a manifest by tag, cold',
    act: pullManifest,
    upstream: ['GET manifests/latest'],
  },
  {
    name: 'a HEAD by tag, cold, and then the GET: the body came with the first',
    act: async (rig) => {
      await get(rig, manifestUrl, { method: 'HEAD' });
      await pullManifest(rig);
    },
    upstream: ['GET manifests/latest'],
  },
  {
    name: 'a manifest by tag, warm',
    before: pullManifest,
    act: pullManifest,
    upstream: [],
  },
  {
    name: 'a manifest by the digest that its tag named, warm',
    before: pullManifest,
    act: (rig, { manifest }) => get(rig, `${path}/manifests/${manifest}`),
    upstream: [],
  },
  {
    name: 'fifty at once ask for a cold tag',
    act: (rig) => times(50, () => pullManifest(rig)),
    upstream: ['GET manifests/latest'],
  },
  {
    name: 'twenty at once ask for a tag that has aged',
    options: { settings: { tags: { freshMs: 0, refreshBehindMs: 0 } } },
    before: pullManifest,
    async act(rig) {
      const answered = Promise.withResolvers<void>();
      rig.double.switches.holds = answered.promise;
      const pulls = times(20, () => pullManifest(rig));
      await until(async () => /^quayside_requests_running\{limit="read"\} 20$/m.test(await rig.metrics()));
      answered.resolve();
      await pulls;
    },
    upstream: ['HEAD manifests/latest'],
  },
  {
    name: 'five ask in turn for a tag that does not exist',
    act: async (rig) => {
      for (let at = 0; at < 5; at += 1) await get(rig, `${path}/manifests/missing`);
    },
    upstream: ['GET manifests/missing'],
  },
  {
    name: 'a layer of a manifest that was answered, cold: no request for its size, or for its membership',
    before: pullManifest,
    act: pullLayer,
    upstream: ['GET layer'],
  },
  {
    name: 'twenty at once ask for a cold layer',
    before: pullManifest,
    act: (rig, image) => times(20, () => pullLayer(rig, image)),
    upstream: ['GET layer'],
  },
  {
    name: 'a layer, warm',
    before: pullLayerAndStore,
    act: pullLayer,
    upstream: [],
  },
  {
    name: 'a range of a warm layer, a list of ranges, and one that lies outside',
    before: pullLayerAndStore,
    act: async (rig, { layer }) => {
      for (const range of ['bytes=10-19', 'bytes=0-9,100-109', 'bytes=99999999-']) {
        await get(rig, `${path}/blobs/${layer}`, { headers: { range } });
      }
    },
    upstream: [],
  },
  {
    name: 'a range near the start of a cold layer: the download that it begins delivers it',
    before: pullManifest,
    act: (rig, { layer }) => get(rig, `${path}/blobs/${layer}`, { headers: { range: 'bytes=10-19' } }),
    upstream: ['GET layer'],
  },
  {
    name: 'a HEAD of a layer that a manifest names',
    before: pullManifest,
    act: (rig, { layer }) => get(rig, `${path}/blobs/${layer}`, { method: 'HEAD' }),
    upstream: [],
  },
  {
    name: 'a HEAD of a blob that nothing names',
    act: (rig, { layer }) => get(rig, `${path}/blobs/${layer}`, { method: 'HEAD' }),
    upstream: ['HEAD layer'],
  },
  {
    name: 'a question whether a known layer has changed',
    before: pullManifest,
    act: (rig, { layer }) =>
      get(rig, `${path}/blobs/${layer}`, { headers: { 'if-none-match': `"${layer}"` } }),
    upstream: [],
  },
  {
    name: 'a stored layer under the name of another repository: the upstream is asked whether it is there',
    before: pullLayerAndStore,
    act: (rig, { layer }) => get(rig, `/v2/quay.io/other/place/blobs/${layer}`),
    upstream: ['HEAD layer'],
  },
  {
    name: 'an upstream that cuts the layer in the middle is asked for the rest only',
    before: async (rig) => {
      await pullManifest(rig);
      rig.double.switches.dropsAfter = { bytes: 400_000, times: 1 };
    },
    act: pullLayer,
    upstream: ['GET layer', 'GET layer bytes=N-999999'],
  },
  {
    name: 'a client that leaves, and another that comes: one download',
    before: pullManifest,
    act: async (rig, image) => {
      rig.double.switches.bytesPerSecond = 4_000_000;
      const control = new AbortController();
      const response = await fetch(`${rig.url}${path}/blobs/${image.layer}`, { signal: control.signal });
      await response.body?.getReader().read();
      control.abort();
      await pullLayer(rig, image);
    },
    upstream: ['GET layer'],
  },
  {
    name: 'a registry that is not configured, a repository that is not allowed, a host that is not ours',
    options: { upstream: { repositories: ['openshift/*'] } },
    act: async (rig) => {
      await get(rig, '/v2/a/b/manifests/x?ns=evil.example');
      await get(rig, '/v2/quay.io/secret/place/manifests/x');
    },
    upstream: [],
  },
  {
    name: 'a list of tags, twice',
    act: async (rig) => {
      await get(rig, `${path}/tags/list`);
      await get(rig, `${path}/tags/list`);
    },
    upstream: ['GET tags/list'],
  },
  {
    name: 'every write',
    act: async (rig, { layer }) => {
      await get(rig, `${path}/blobs/uploads/`, { method: 'POST' });
      await get(rig, `${path}/manifests/latest`, { method: 'PUT', body: '{}' });
      await get(rig, `${path}/blobs/${layer}`, { method: 'DELETE' });
    },
    upstream: [],
  },
  {
    name: 'a login that is refused',
    options: {
      settings: {
        hosts: { '*': { auth: 'robots', robots: { usernameFile: '/dev/null', passwordFile: '/dev/null' } } },
      },
    },
    act: async (rig, { layer }) => {
      await get(rig, '/v2/', { headers: { authorization: 'Bearer nonsense' } });
      await get(rig, manifestUrl, {
        headers: { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` },
      });
      await get(rig, `${path}/blobs/${layer}`);
    },
    upstream: [],
  },
];

for (const { name, options, before, act, upstream } of rows) {
  test(`the upstream sees ${upstream.length === 0 ? 'nothing' : upstream.join(', ')} of: ${name}`, async (t) => {
    const rig = await serviceRig(t, options);
    const { digest, config, layers } = rig.double.addImage('openshift/ci', 'latest', {
      layers: [layerBytes],
    });
    const image = { manifest: digest, config, layer: layers[0]?.digest ?? '' };
    await before?.(rig, image);
    const counted = rig.double.requests.length;
    await act(rig, image);
    const seen = rig.double.requests.slice(counted).filter((request) => request.path !== '/v2/');
    t.same(
      seen.map((request) => lineOf(request, image)),
      upstream,
    );
  });
}

function lineOf(
  { method, path: asked, headers }: RecordedRequest,
  { config, layer, manifest }: Image,
): string {
  const what = asked.slice(asked.search(/(manifests|tags|blobs|referrers)\//));
  const named = what
    .replace(`blobs/${layer}`, 'layer')
    .replace(`blobs/${config}`, 'config')
    .replace(manifest, 'DIGEST');
  return headers.range === undefined
    ? `${method} ${named}`
    : `${method} ${named} ${headers.range.replace(/\d+/, 'N')}`;
}
