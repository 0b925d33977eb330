import { readFile } from 'node:fs/promises';
import { type Test, test } from 'tap';
import { badDay } from '../bad-days/rig.ts';
import { accessRig, ciRepository, ourself, sharingImage } from '../support/access-rig.ts';
import { until } from '../support/bodies.ts';
import type { LogLine } from '../support/service.ts';

interface Traced {
  readonly log: readonly LogLine[];
}

/** The lines of the trace under an id, once there are so many. */
async function linesOf(rig: Traced, id: string, count: number): Promise<readonly LogLine[]> {
  const lines = () => rig.log.filter((line) => line['component'] === 'trace' && line['requestId'] === id);
  await until(() => lines().length >= count, `${count} lines of ${id}`);
  return lines();
}

async function pulled(t: Test, answer: Promise<Response>): Promise<string> {
  const response = await answer;
  await response.arrayBuffer();
  t.equal(response.status, 200);
  return response.headers.get('x-request-id') ?? '';
}

const messages = (lines: readonly LogLine[]): string[] => lines.map(({ msg }) => msg);
const entered = ['request parsed', 'host found', 'subject identified'];

test('a cold pull by tag is told in order under one id, and so is a warm one', async (t) => {
  const rig = await badDay(t);
  const cold = await linesOf(rig, await pulled(t, rig.get('manifests/tools')), 10);
  t.same(messages(cold), [
    ...entered,
    'tag looked up',
    'upstream asked',
    'upstream answered',
    'membership looked up',
    'copy looked up',
    'answered',
    'manifest stored',
  ]);
  const { digest } = rig.image;
  t.match(cold, [
    { kind: 'manifest', repository: 'openshift/ci', tag: 'tools' },
    { host: '*' },
    { subject: 'anonymous', upstream: 'quay.io' },
    { tag: 'tools', freshness: 'unknown' },
    { kind: 'manifest', method: 'GET', path: '/v2/openshift/ci/manifests/tools' },
    { status: 200, ms: Number },
    { digest, isKnown: true },
    { digest, source: 'memory' },
    { hit: 'fill' },
    { digest },
  ]);
  for (const blob of [rig.image.config, rig.layer.digest]) await pulled(t, rig.get(`blobs/${blob}`));
  const stored = () => rig.log.filter(({ outcome }) => outcome === 'stored').length === 2;
  await until(stored, 'the blobs in the store');
  const checked = await linesOf(rig, await pulled(t, rig.get('manifests/tools')), 7);
  t.same(messages(checked), [
    ...entered,
    'tag looked up',
    'membership looked up',
    'copy looked up',
    'answered',
  ]);
  t.match(checked[3], { freshness: 'answer', ageMs: Number, digest });
  const warm = await linesOf(rig, await pulled(t, rig.get('manifests/tools')), 5);
  t.same(messages(warm), [...entered, 'fresh manifest found in memory', 'answered']);
  t.match(warm.slice(3), [{ digest, ageMs: Number }, { hit: 'memory' }]);
});

test('the page on debugging shows a cold and a warm pull with the lines of today', async (t) => {
  const page = await readFile(new URL('../../docs/debugging.md', import.meta.url), 'utf8');
  const shown = [...page.matchAll(/^```text\n([\s\S]*?)^```$/gm)].map(([, lines = '']) =>
    [...lines.matchAll(/^\d\d:\d\d\.\d{3} {2}([\w ]+?) {2}\{/gm)].map(([, message]) => message),
  );
  const rig = await badDay(t);
  const printed: (readonly string[])[] = [];
  for (const [path, count] of [
    ['manifests/tools', 10],
    [`blobs/${rig.layer.digest}`, 10],
    ['manifests/tools', 7],
    [`blobs/${rig.layer.digest}`, 6],
  ] as const)
    printed.push(messages(await linesOf(rig, await pulled(t, rig.get(path)), count)));
  t.same(
    shown.map((lines) => new Set(lines.filter((message) => message !== 'request'))),
    printed.map((lines) => new Set(lines)),
  );
});

test('a blob is told from the first look to the store, and which request began its download', async (t) => {
  const rig = await badDay(t);
  await pulled(t, rig.get('manifests/tools'));
  rig.double.switches.bytesPerSecond = 2_000_000;
  const first = rig.getLayer({ headers: { 'x-request-id': 'first' } });
  await until(() => rig.log.some(({ msg }) => msg === 'download started'), 'the download');
  const second = rig.getLayer({ headers: { 'x-request-id': 'second' } });
  await Promise.all([pulled(t, first), pulled(t, second)]);
  const began = await linesOf(rig, 'first', 10);
  const looked = [...entered, 'membership looked up', 'copy looked up'];
  const { digest } = rig.layer;
  t.same(messages(began.slice(0, 8)), [...looked, 'download started', 'upstream asked', 'upstream answered']);
  t.match(
    began.find(({ msg }) => msg === 'download ended'),
    { outcome: 'stored', digest },
  );
  const joined = await linesOf(rig, 'second', 7);
  t.same(messages(joined), [...looked, 'download joined', 'answered']);
  t.match(joined[5], { begunBy: 'first', digest, upstream: 'quay.io' });
  const stored = await linesOf(rig, await pulled(t, rig.getLayer()), 6);
  t.match(stored.slice(4), [{ source: 'store' }, { msg: 'answered', hit: 'store' }]);
});

test('a body that is resumed is told', async (t) => {
  const rig = await badDay(t);
  await pulled(t, rig.get('manifests/tools'));
  rig.double.switches.dropsAfter = { bytes: 100_000, times: 1 };
  const lines = await linesOf(rig, await pulled(t, rig.getLayer()), 12);
  t.match(
    lines.find(({ msg }) => msg === 'upstream asked again'),
    { reason: 'resume' },
  );
});

const tokens = { alice: 'sha256~alices-token-of-the-cluster' };
const people = {
  users: { [tokens.alice]: { username: 'alice', groups: ['ocp-readers'] } },
  bindings: [{ to: 'ocp-readers', namespace: 'ocp' }],
};

test('a refused pull is told with rule and verdict, and no credential is in any line', async (t) => {
  const rig = await accessRig(t, { people });
  for (const tag of ['ocp_4.20_cli', 'ocp-priv_4.20_cli']) sharingImage(rig.double, tag);
  const token = await rig.login(tokens.alice);
  const manifest = (tag: string) => `/v2/${ciRepository}/manifests/${tag}?ns=quay.io&token=query-secret`;
  const ids = await Promise.all(
    ['ocp-priv_4.20_cli', 'ocp_4.20_cli'].map(async (tag, index) => {
      const id = `request-${index}`;
      const { status } = await rig.get(manifest(tag), token, `X-Request-Id: ${id}`);
      t.equal(status, index === 0 ? 403 : 200);
      return id;
    }),
  );
  const refused = await linesOf(rig, ids[0] ?? '', 6);
  t.same(messages(refused), [...entered, 'cluster reviewed', 'access decided', 'access refused']);
  t.match(refused.slice(2), [
    { subject: 'alice', cluster: 'app.ci' },
    { review: 'access', outcome: 'no' },
    { verdict: 'refused', rule: String, question: /ocp-priv/, asked: 'asked' },
    { reason: 'rights' },
  ]);
  const allowed = await linesOf(rig, ids[1] ?? '', 10);
  t.match(
    allowed.find(({ msg }) => msg === 'access decided'),
    { verdict: 'allowed' },
  );
  t.ok(allowed.some(({ kind, msg }) => kind === 'token' && msg === 'upstream asked'));
  for (const secret of [tokens.alice, token, ourself.password, 'query-secret', 'Bearer', '?'])
    t.notOk(rig.logText().includes(secret), secret);
});

test('of a URL that may be signed only the host is written', async (t) => {
  const rig = await badDay(t);
  await pulled(t, rig.get('manifests/tools'));
  rig.double.switches.redirectsTo = `${rig.double.url}/secret-path?X-Amz-Signature=secret-signature`;
  await (await rig.getLayer({ headers: { 'x-request-id': 'redirected' } })).arrayBuffer();
  const lines = await linesOf(rig, 'redirected', 9);
  const { host } = new URL(rig.double.url);
  t.match(
    lines.filter(({ msg }) => msg === 'upstream asked'),
    [{ kind: 'blob' }, { host, path: undefined }],
  );
  t.notMatch(rig.logText(), /secret-path|secret-signature/);
});

test('at level info nothing of it is written, until a reload says debug', async (t) => {
  const rig = await badDay(t);
  const trace = () => rig.log.filter((line) => line['component'] === 'trace');
  const level = (text: string) => rig.reload({ settings: { log: { level: text } } });
  await level('info');
  await pulled(t, rig.get('manifests/tools'));
  await pulled(t, rig.getLayer());
  await until(() => rig.log.filter(({ msg }) => msg === 'request').length === 2, 'the request log');
  t.same(trace(), []);
  await level('debug');
  await linesOf(rig, await pulled(t, rig.get('manifests/tools')), 5);
  await level('info');
  const before = trace().length;
  await pulled(t, rig.get('manifests/tools'));
  t.equal(trace().length, before);
});
