import { test } from 'tap';
import { imageText, isRequestId, parseInput } from '../../src/explain/input.ts';
import { createReadings } from '../../src/image-streams/flat-tags.ts';
import { imageStreamTagText } from '../../src/image-streams/image-stream-tag.ts';

const options = { flat: 'quay.io/openshift/ci', readings: createReadings() };
const digest = `sha256:${'a'.repeat(64)}`;

/** The image, and the stream's tag behind a bar. */
function read(text: string): string {
  const input = parseInput(text, options);
  if (input.kind === 'request') return `request ${input.id}`;
  const stream = input.streamTag === undefined ? '' : ` | ${imageStreamTagText(input.streamTag)}`;
  return `${imageText(input.image)}${stream}${input.isPipeline ? ' of a job' : ''}`;
}

for (const [text, meant] of [
  ['ocp/4.5:base', 'quay.io/openshift/ci:ocp_4.5_base | ocp/4.5:base'],
  ['ocp_4.5_base', 'quay.io/openshift/ci:ocp_4.5_base | ocp/4.5:base'],
  ['openshift/ci:ocp_4.5_base', 'openshift/ci:ocp_4.5_base | ocp/4.5:base'],
  [
    'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.5_base',
    'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.5_base | ocp/4.5:base',
  ],
  ['docker://ghcr.io/team/app:v1', 'ghcr.io/team/app:v1'],
  ['localhost:5000/app', 'localhost:5000/app:latest'],
  [`quay.io/team/app@${digest}`, `quay.io/team/app@${digest}`],
  [`quay.io/team/app:v1@${digest}`, `quay.io/team/app:v1@${digest}`],
  [digest, `quay.io/openshift/ci@${digest}`],
  ['alpine', 'docker.io/library/alpine:latest'],
  ['ci-op-abc/pipeline:root', 'quay.io/openshift/ci:root | ci-op-abc/pipeline:root of a job'],
  ['pipeline:root', 'quay.io/openshift/ci:root | /pipeline:root of a job'],
  ['h0Ws3kdQ-2f', 'request h0Ws3kdQ-2f'],
  ['20240603235401_prune_ocp_4.5_base', 'quay.io/openshift/ci:20240603235401_prune_ocp_4.5_base'],
] as const)
  test(`${text} is read as ${meant}`, async (t) => {
    t.equal(read(text), meant);
  });

for (const text of [
  '',
  ' ',
  'a/b/',
  'quay.io/UPPER/app:v1',
  'quay.io/app:v1@sha256:12',
  'x'.repeat(2_000),
  'a\nb_c',
  'c9bf9e57-1685-4c89-bafb-ff5af830be8a',
])
  test(`${JSON.stringify(text.slice(0, 30))} cannot be explained`, async (t) => {
    t.throws(() => parseInput(text, options), { name: 'RegistryError' });
  });

test('an id is one only in the form that we give to ids', async (t) => {
  t.ok(isRequestId('h0Ws3kdQ-2f'));
  for (const text of ['why-1', 'h0Ws3kdQ-', 'h0Ws3kd-2f', 'h0Ws3kdQ-2F', 'h0Ws3kdQ-2f '])
    t.notOk(isRequestId(text), text);
});
