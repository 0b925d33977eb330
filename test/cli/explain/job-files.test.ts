import { test } from 'tap';
import { explainRig, saying, type Told } from './rig.ts';

const streams = {
  kind: 'ImageStreamList',
  items: [
    {
      metadata: { namespace: 'ci-op-abc', name: 'pipeline' },
      spec: {
        tags: [
          {
            name: 'base',
            from: { kind: 'DockerImage', name: 'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.5_base' },
          },
          {
            name: 'build-root',
            from: { kind: 'DockerImage', name: 'quay-proxy.ci.openshift.org/openshift/ci:ocp_gone_x' },
          },
          { name: 'src', from: { kind: 'ImageStreamTag', name: 'pipeline:base' } },
        ],
      },
      status: {
        tags: [
          {
            tag: 'base',
            items: [
              {
                created: '2026-11-01T10:00:00Z',
                image: `sha256:${'a'.repeat(64)}`,
                dockerImageReference: 'quay-proxy.ci.openshift.org/openshift/ci@sha256:aa',
              },
            ],
          },
          {
            tag: 'build-root',
            conditions: [
              {
                type: 'ImportSuccess',
                status: 'False',
                reason: 'NotFound',
                lastTransitionTime: '2026-11-02T10:00:00Z',
                message:
                  'dockerimage.image.openshift.io "quay-proxy.ci.openshift.org/openshift/ci:ocp_gone_x" not found',
              },
            ],
          },
        ],
      },
    },
  ],
};

test('of imagestreams.json the tags that failed are explained, with their own condition', async (t) => {
  const { file, explain, double } = await explainRig(t);
  double.addImage('openshift/ci', 'ocp_4.5_base');
  const path = await file('imagestreams.json', JSON.stringify(streams));
  const { code, out } = await explain(path);
  t.equal(code, 1);
  t.match(out, /ci-op-abc\/pipeline:build-root points to quay-proxy/);
  t.match(out, /^ 0 ✗ image stream ImportSuccess is False: NotFound: dockerimage/m);
  t.match(out, /looked up: .*imagestreams\.json, \d+ d old/);
  t.match(out, /^ 4 ✗ tag/m);
  t.match(out, /pipeline:src/, 'a tag without an image has failed too');
  t.notMatch(out, /ocp_4\.5_base/);
});

test('one tag of the file is explained by its name', async (t) => {
  const { file, told, double } = await explainRig(t);
  double.addImage('openshift/ci', 'ocp_4.5_base');
  const path = await file('imagestreams.json', JSON.stringify(streams));
  const document = await told(path, 'pipeline:base');
  t.equal(document.code, 0);
  t.match(saying(document, 'image stream'), /^ok\nci-op-abc\/pipeline:base is sha256:a/);
});

test('of a log the images in lines about failures are explained, and no others', async (t) => {
  const { file, explain } = await explainRig(t);
  const path = await file(
    'ci-operator.log',
    [
      '{"level":"info","msg":"resolved quay.io/openshift/ci:ocp_fine_x at https://quay.io:443/v2/a"}',
      '{"level":"error","msg":"could not resolve base image from ocp/4.5:base: imagestreamtags \\"4.5:base\\" not found"}',
      'ERRO unable to import tag pipeline: dockerimage.image.openshift.io "quay.io/openshift/ci:ocp_builder_x" not found.',
    ].join('\n'),
  );
  const { code, out } = await explain(path, '-o', 'json');
  t.equal(code, 1);
  const { explanations } = JSON.parse(out) as { explanations: (Told & { image: string })[] };
  t.same(
    explanations.map(({ image }) => image),
    ['quay.io/openshift/ci:ocp_builder_x', 'quay.io/openshift/ci:ocp_4.5_base'],
  );
});

test('a file in which nothing failed is well', async (t) => {
  const { file, explain } = await explainRig(t);
  const path = await file('ci-operator.log', 'all is well with quay.io/openshift/ci:ocp_4.5_base\n');
  const { code, out } = await explain(path);
  t.equal(code, 0);
  t.match(out, /no image failed in it/);
});

test('a file whose name may be an image is not taken for what was meant', async (t) => {
  const { directory, file, explain } = await explainRig(t);
  await file('ocp_4.5_base', 'all is well\n');
  const cwd = process.cwd();
  process.chdir(directory);
  t.teardown(() => process.chdir(cwd));
  t.match(await explain('ocp_4.5_base'), {
    code: 2,
    err: /ocp_4\.5_base is a file here, and may be an image: write \.\/ocp_4/,
  });
  const { code, out } = await explain('./ocp_4.5_base');
  t.equal(code, 0, out);
});

test('an imagestreams.json that was cut, or is another file, is no file without failures', async (t) => {
  const { file, explain } = await explainRig(t);
  const cut = await file('imagestreams.json', JSON.stringify(streams).slice(0, -20));
  t.match(await explain(cut), { code: 2, err: /imagestreams\.json is not JSON/ });
  const other = await file('pods.json', JSON.stringify({ items: [{ metadata: { name: 'x' } }] }));
  t.match(await explain(other), { code: 2, err: /pods\.json has no image streams/ });
  const empty = await file('empty.json', JSON.stringify({ items: [] }));
  t.match(await explain(empty), { code: 0, out: /no image failed in it/ });
});

test('failures beyond the tenth are told, and are not well', async (t) => {
  const { file, explain, double } = await explainRig(t);
  const names = Array.from({ length: 12 }, (_, index) => `ocp_4.5_t${index}`);
  for (const name of names) double.addImage('openshift/ci', name);
  const lines = names.map((name) => `error: cannot pull quay.io/openshift/ci:${name}`);
  const { code, err } = await explain(await file('ci-operator.log', lines.join('\n')));
  t.match(err, /2 more images failed in it and are not explained: name them/);
  t.equal(code, 3);
});

test('an image that cannot be named leaves the others explained', async (t) => {
  const { file, explain } = await explainRig(t);
  const failed = (name: string, image: string) => ({ name, from: { kind: 'DockerImage', name: image } });
  const object = {
    metadata: { namespace: 'ci-op-abc', name: 'pipeline' },
    spec: { tags: [failed('bad', 'Not An Image!'), failed('root', 'quay.io/openshift/ci:ocp_gone_x')] },
  };
  const { code, out, err } = await explain(await file('imagestreams.json', JSON.stringify(object)));
  t.match(err, /ci-op-abc\/pipeline:bad/);
  t.match(out, /ci-op-abc\/pipeline:root points to quay\.io/);
  t.equal(code, 1);
});
