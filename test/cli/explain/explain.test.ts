import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { explainRig, saying, step } from './rig.ts';

const ci = 'openshift/ci';

test('an image that is pulled already is well: 0, with pointer and content', async (t) => {
  const { double, pull, explain, told } = await explainRig(t);
  const { digest } = double.addImage(ci, 'ocp_4.5_base');
  await pull(ci, 'ocp_4.5_base');
  const { code, out, err } = await explain('--as', 'ann', 'ocp/4.5:base');
  t.equal(err, '');
  t.equal(code, 0, out);
  t.match(out, /^quay\.io\/openshift\/ci:ocp_4\.5_base, pulled by ann$/m);
  t.match(out, /^ 3 ✓ rights {7}ann may pull it$/m);
  t.match(out, new RegExp(`^ 4 ✓ tag .*ocp_4.5_base is ${digest}`, 'm'));
  t.match(out, /looked up: store, .*, \d+ (?:s|min) old$/m);
  t.match(out, /^well: nothing is wrong with it$/m);
  const document = await told('--as', 'ann', 'ocp_4.5_base');
  t.equal(document.verdict, 'well');
  t.same(
    document.steps.map(({ number, title }) => `${number} ${title}`),
    [
      '0 image stream',
      '1 client',
      '2 route',
      '3 rights',
      '4 tag',
      '5 content',
      '6 upstream',
      '7 sources',
      '8 mirror',
      '9 source',
      '10 maker',
      '11 pruner',
    ],
  );
});

test('a tag that does not exist is wrong: 1, and the tag says so', async (t) => {
  const { told } = await explainRig(t);
  const document = await told('ocp/4.5:nope');
  t.equal(document.code, 1);
  t.match(saying(document, 'tag'), /^wrong\nthere is no quay\.io\/openshift\/ci:ocp_4\.5_nope/);
  t.match(step(document, 'tag').next?.who, /owner/);
  t.match(saying(document, 'upstream'), /^ok\nquay\.io: answers, and has no such image/);
});

test('a refused user gets rule, question and the RoleBinding that would help', async (t) => {
  const { double, told } = await explainRig(t);
  double.addImage(ci, 'ocp_4.5_base');
  const document = await told('--as', "bo'b", 'ocp/4.5:base');
  t.equal(document.code, 1);
  const text = saying(document, 'rights');
  t.match(
    text,
    /^wrong\nbo'b may not pull it\nrule: imagestream: tag\nquestion: get imagestreams\.image\.openshift\.io\/layers 4\.5 -n ocp/,
  );
  t.match(text, "oc -n ocp create rolebinding quayside-pull --clusterrole system:image-puller --user 'bob'");
  t.match(text, 'an administrator of the namespace on cluster app.ci');
});

test('an unknown registry is named with the one that was meant', async (t) => {
  const { told, double } = await explainRig(t);
  const document = await told('quay.oi/openshift/ci:a');
  t.equal(document.code, 1);
  t.match(
    saying(document, 'route'),
    /quay\.oi is neither an upstream nor a host here \(did you mean quay\.io\?\)/,
  );
  t.same(double.requests, [], 'it asks the default upstream for nothing');
});

test('a tag that moved says what it was until when', async (t) => {
  const { double, pull, told } = await explainRig(t);
  const first = double.addImage(ci, 'ocp_4.5_base');
  await pull(ci, 'ocp_4.5_base');
  double.addImage(ci, 'ocp_4.5_base', { layers: [7] });
  const now = await told('ocp/4.5:base');
  t.match(saying(now, 'tag'), /quay\.io now has sha256:/);
  t.match(saying(now, 'tag'), first.digest);
});

for (const [what, break_, said] of [
  [
    '500',
    (double) => Object.assign(double.switches, { status: { of: 'manifests', code: 500, times: 9 } }),
    /status 500/,
  ],
  [
    '429',
    (double) => Object.assign(double.switches, { status: { of: 'manifests', code: 429, times: 9 } }),
    /higher limit/,
  ],
  [
    '403',
    (double) => Object.assign(double.switches, { status: { of: 'manifests', code: 403, times: 9 } }),
    /credentials/,
  ],
] as const satisfies readonly (readonly [
  string,
  (double: Awaited<ReturnType<typeof explainRig>>['double']) => unknown,
  RegExp,
])[])
  test(`an upstream that answers ${what} is wrong at step 6, and the tag cannot be told`, async (t) => {
    const { double, told } = await explainRig(t);
    double.addImage(ci, 'ocp_4.5_base');
    break_(double);
    const document = await told('ocp/4.5:base');
    t.equal(document.code, 1);
    t.match(saying(document, 'upstream'), said);
    t.equal(step(document, 'upstream').mark, 'wrong');
    t.equal(step(document, 'tag').mark, 'unknown');
  });

test('a broken image at the source is wrong at step 5', async (t) => {
  const { double, pull, told } = await explainRig(t);
  const image = double.addImage(ci, 'ocp_4.5_base');
  await pull(ci, 'ocp_4.5_base');
  const whole = await told('ocp/4.5:base');
  t.match(saying(whole, 'content'), /the next pull fetches them|parts are here/);
  t.ok(image.digest);
});

test('while a tag is believed, the content that clients get is looked at, not the newest', async (t) => {
  const { double, pull, told } = await explainRig(t, (directory) => ({
    store: { filesystem: { path: join(directory, 'store') } },
    tags: { freshMs: '1h' },
  }));
  const former = double.addImage(ci, 'ocp_4.5_base');
  await pull(ci, 'ocp_4.5_base');
  const newest = double.addImage(ci, 'ocp_4.5_base', { layers: [5_000] });
  const document = await told('ocp/4.5:base');
  t.match(saying(document, 'content'), `manifest ${former.digest} is here`);
  t.match(saying(document, 'tag'), `quay.io now has ${newest.digest}; clients get ${former.digest} until`);
});

test('it writes nothing, not even a store', async (t) => {
  const { directory, told } = await explainRig(t);
  const before = (await readdir(directory, { recursive: true })).sort();
  await told('ocp/4.5:base');
  t.same((await readdir(directory, { recursive: true })).sort(), before);
  t.notOk(before.includes(join('store', 'v1')));
});

test('a store in memory and a cluster that is down cannot be told', async (t) => {
  const { double, cluster, told } = await explainRig(t, () => ({ store: { memory: {} } }));
  double.addImage(ci, 'ocp_4.5_base');
  cluster.switches.isDown = true;
  const document = await told('--as', 'ann', 'ocp/4.5:base');
  t.equal(document.code, 3);
  t.equal(step(document, 'rights').mark, 'unknown');
  t.match(saying(document, 'content'), /--admin URL/);
});

test('mistakes of the command line end with 2', async (t) => {
  const { explain } = await explainRig(t);
  for (const words of [
    [],
    ['--output', 'yaml', 'a'],
    ['--groups', 'g', 'a'],
    ['quay.io/UPPER:a'],
    ['--nope'],
  ])
    t.equal((await explain(...words)).code, 2, words.join(' '));
});
