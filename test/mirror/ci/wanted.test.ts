import { test } from 'tap';
import { parseImageStreamTag } from '../../../src/image-streams/image-stream-tag.ts';
import { parseMirrorConfig } from '../../../src/mirror/ci/config-file.ts';
import { isWanted } from '../../../src/mirror/ci/wanted.ts';
import type { MirrorFields } from '../../../src/mirror/log.ts';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { mirrorLog } from '../../../src/predecessors/outputs/mirror-log.ts';
import { taskTexts } from '../../support/task-texts.ts';

const file = `
supplementalCIImages: {"ci/boskos:latest": {image: "quay.io/someone/boskos:v1"}}
qciToAppCIImages: {"ocp/4.18:cli": {}}
artImages: [{namespace: ocp, name: ^builder$, tag: ^golang}]
`;

const supplemental: MirrorTask = {
  source: parseImageReference('quay.io/someone/boskos:v1'),
  destination: parseImageReference('quay.io/openshift/ci:ci_boskos_latest'),
  priority: 'change',
  owner: 'supplementalCIImagesService',
  createdAt: 1,
};
const sourceTagRef = parseImageStreamTag('ocp/builder:golang-1.24');
const art: MirrorTask = {
  ...supplemental,
  source: parseImageReference('registry.ci.openshift.org/ocp/builder:golang-1.24'),
  destination: parseImageReference('quay.io/openshift/ci:ocp_builder_golang-1.24'),
  ...(sourceTagRef && { sourceTagRef }),
};
const toAppCi: MirrorTask = {
  ...supplemental,
  source: parseImageReference('quay-proxy.ci.openshift.org/openshift/ci:ocp_4.18_cli'),
  destination: parseImageReference('registry.ci.openshift.org/ocp/4.18:cli'),
  owner: 'qciToAppCIImages',
};

function asked(yaml: string) {
  const config = parseMirrorConfig(Buffer.from(yaml));
  const lines: { readonly message: string; readonly fields: MirrorFields }[] = [];
  const tell = mirrorLog((line) => lines.push(line));
  return { lines, wanted: (task: MirrorTask) => isWanted(config, task, tell) };
}

test('what the configuration lists is wanted, and so is what it need not list', (t) => {
  const { wanted, lines } = asked(file);
  for (const task of [supplemental, art, toAppCi]) t.equal(wanted(task), true, task.destination.text);
  for (const owner of ['api', 'misses', 'quay_io_ci_images_distributor'])
    t.equal(wanted({ ...supplemental, source: parseImageReference('q.io/a:1'), owner }), true, owner);
  t.same(lines, []);
  t.end();
});

test('an entry that is gone, or names another source, wants nothing more, and that is said', (t) => {
  const { wanted, lines } = asked(
    'supplementalCIImages: {"ci/boskos:latest": {image: "quay.io/someone/boskos:v2"}}',
  );
  for (const task of [supplemental, art, toAppCi]) t.equal(wanted(task), false, task.destination.text);
  t.equal(lines.length, 3);
  const { source, destination: target } = taskTexts(supplemental);
  t.match(lines[0], { message: 'No longer configured, skipping mirror', fields: { source, target } });
  t.end();
});

test('an ignored source is not wanted by any task, in the words of the original', (t) => {
  const { wanted, lines } = asked(`${file}
ignoredSources:
- {image: "quay.io/someone/boskos:v1", reason: RFE-5363}
- {namespace: ocp, name: builder, tag: golang-1.24, reason: broken}`);
  t.equal(wanted({ ...supplemental, owner: 'misses' }), false);
  t.equal(wanted(art), false);
  t.same(lines, [
    {
      level: 'info',
      message: 'Ignored source',
      fields: { section: 'misses', image: supplemental.source.text, reason: 'RFE-5363' },
    },
    {
      level: 'info',
      message: 'Ignored source',
      fields: {
        section: 'SupplementalCIImages',
        image: art.source.text,
        ISTagName: 'ocp/builder:golang-1.24',
        reason: 'broken',
      },
    },
  ]);
  t.end();
});
