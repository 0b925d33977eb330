import { test } from 'tap';
import {
  type AccessRig,
  accessRig,
  ciRepository,
  type SharingImage,
  sharingImage,
} from './support/access-rig.ts';
import { until } from './support/bodies.ts';
import { registryDouble } from './support/registry-double.ts';
import { servedStreams } from './support/served-streams.ts';

/**
 * The request table of rights by digest: what registry and cluster are asked for each pull, where
 * image streams name digests. `ann` may pull the streams of `ocp` and of `team`, `rita` those of
 * `team`; only the namespace `ocp` is trusted. What the registry
 * answers with 401 is asked again with our login, and not counted.
 */
interface Row {
  readonly name: string;
  readonly who: 'ann' | 'rita';
  readonly before?: (world: World) => Promise<unknown>;
  readonly act: (world: World) => Promise<Response>;
  readonly status: number;
  readonly upstream: readonly string[];
  /** The questions to the cluster: `<stream>`, `<namespace>`, or `*` for every stream. */
  readonly reviews: readonly string[];
}

interface World {
  readonly rig: AccessRig;
  /** Named by `ocp/4.20`, by no tag that we know. */
  readonly promoted: SharingImage;
  /** Named by `team/app`, whose flat tag leads to it. */
  readonly ours: SharingImage;
  /** Named by `team/liar`, whose flat tags are not there. */
  readonly foreign: SharingImage;
  get(path: string): Promise<Response>;
}

const tokens = { ann: 'sha256~anns-token-of-the-cluster', rita: 'sha256~ritas-token-of-the-cluster' };
const manifest = ({ digest }: SharingImage) => `/v2/${ciRepository}/manifests/${digest}`;
const layer = ({ layer: digest }: SharingImage) => `/v2/${ciRepository}/blobs/${digest}`;

const rows: readonly Row[] = [
  {
    name: 'a digest that a trusted stream names, on a cold store',
    who: 'ann',
    act: ({ get, promoted }) => get(manifest(promoted)),
    status: 200,
    upstream: ['GET manifests/PROMOTED'],
    reviews: ['ocp/4.20'],
  },
  {
    name: 'the same again',
    who: 'ann',
    before: ({ get, promoted }) => get(manifest(promoted)),
    act: ({ get, promoted }) => get(manifest(promoted)),
    status: 200,
    upstream: [],
    reviews: [],
  },
  {
    name: 'the layer of what a trusted stream names',
    who: 'ann',
    before: ({ get, promoted }) => get(manifest(promoted)),
    act: ({ get, promoted }) => get(layer(promoted)),
    status: 200,
    upstream: ['GET layer'],
    reviews: [],
  },
  {
    name: 'a digest that another stream names, whose flat tag leads there',
    who: 'rita',
    act: ({ get, ours }) => get(manifest(ours)),
    status: 200,
    upstream: ['HEAD manifests/team_app_t0', 'GET manifests/OURS'],
    reviews: ['team/app'],
  },
  {
    name: 'a digest that a stream of the namespace names, but no flat tag has: naming gives no right',
    who: 'rita',
    act: ({ get, foreign }) => get(manifest(foreign)),
    status: 403,
    upstream: ['HEAD manifests/team_liar_t0'],
    reviews: ['*', 'team/liar'],
  },
  {
    name: 'a digest of a trusted stream without the right to the stream',
    who: 'rita',
    act: ({ get, promoted }) => get(manifest(promoted)),
    status: 403,
    upstream: [],
    reviews: ['*', 'ocp/4.20'],
  },
];

for (const { name, who, before, act, status, upstream, reviews } of rows) {
  test(`${upstream.join(', ') || 'nothing'} upstream, ${reviews.length} reviews: ${name}`, async (t) => {
    const double = await registryDouble();
    t.teardown(() => double.close());
    const promoted = sharingImage(double, 'never_known_tag');
    const foreign = sharingImage(double, 'ocp-priv_4.20_cli');
    const ours = sharingImage(double, 'team_app_t0');
    const streams = servedStreams();
    streams.name('ocp/4.20', [`quay.io/${ciRepository}@${promoted.digest}`]);
    streams.name('team/app', [`quay.io/${ciRepository}@${ours.digest}`]);
    streams.name('team/liar', [`quay.io/${ciRepository}@${foreign.digest}`]);
    const rig = await accessRig(t, {
      registry: double,
      people: {
        users: {
          [tokens.ann]: { username: 'ann', groups: ['ocp-readers', 'team'] },
          [tokens.rita]: { username: 'rita', groups: ['team'] },
        },
        bindings: [
          { to: 'ocp-readers', namespace: 'ocp' },
          { to: 'team', namespace: 'team' },
        ],
        streams,
      },
      streams: { trusted: ['ocp'] },
    });
    await until(async () =>
      (await rig.metrics()).includes('quayside_stream_index_state{cluster="app.ci",state="synced"} 1'),
    );
    const token = await rig.login(tokens[who]);
    const world = { rig, promoted, ours, foreign, get: (path: string) => rig.get(path, token) };
    await before?.(world);
    const [asked, reviewed] = [double.requests.length, rig.cluster.seen('SubjectAccessReview').length];
    t.equal((await act(world)).status, status);
    t.same(
      double.requests
        .slice(asked)
        .filter(({ path, status: answered }) => path.startsWith(`/v2/${ciRepository}/`) && answered !== 401)
        .map(({ method, path }) => `${method} ${nameOf(path, world)}`),
      upstream,
    );
    const questions = rig.cluster.seen('SubjectAccessReview').slice(reviewed);
    t.same(
      questions.map(({ body }) => streamOf(body)).toSorted((a, b) => a.localeCompare(b)),
      reviews,
    );
  });
}

function nameOf(path: string, { promoted, ours, foreign }: World): string {
  return path
    .slice(`/v2/${ciRepository}/`.length)
    .replace(promoted.digest, 'PROMOTED')
    .replace(ours.digest, 'OURS')
    .replace(foreign.digest, 'FOREIGN')
    .replace(`blobs/${promoted.layer}`, 'layer');
}

function streamOf(body: unknown): string {
  const { spec = {} } = body as {
    readonly spec?: { readonly resourceAttributes?: { readonly namespace?: string; readonly name?: string } };
  };
  const { namespace = '', name = '' } = spec.resourceAttributes ?? {};
  return [namespace || '*', name].filter((part) => part !== '').join('/');
}
