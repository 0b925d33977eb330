/** What stands in front of an entry's colon, and the entry. */
type Entry = readonly [key: string, ...lines: readonly string[]];

const teams = [
  'openshift',
  'chaos',
  'ci',
  'azure',
  'coreos',
  'k8s',
  'edge-infrastructure',
  'dno',
  '3scale-qe',
];
const registries = [
  'quay.io/team',
  'registry.example.com/deep/er/path',
  'mcr.example.com',
  'gcr.example.com/k8s',
];

/**
 * A `_config.yaml` with the shapes and the size of the one that the image mirroring of OpenShift CI
 * has: 521 supplemental images, of which 17 come from an image stream, 36 ways back, 6 ignored
 * sources and 8 selectors. All names are made up.
 */
export function imageMirroringConfig(): string {
  const odd: readonly Entry[] = [
    ['ci/rh_jdk_ocp_testsuite:latest', 'image: quay.io/rh_team/jdk_suite:latest'],
    ['rh_ee_abc/aro-hcp-e2e-base:v1.0', 'image: quay.io/rh_ee_abc/aro-hcp-e2e-base:v1.0'],
    ['ci/minio:RELEASE.2025-09-07T16-13-09Z', 'image: quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z'],
    ['ci/one-part:latest', 'image: registry.fedoraproject.org/fedora:latest'],
    ['ci/pinned:digest', `image: quay.io/team/pinned@sha256:${'ab'.repeat(32)}`],
  ];
  const images = Array.from({ length: 499 }, (_, index): Entry => {
    const team = teams[index % teams.length];
    const registry = registries[index % registries.length];
    const name = index % 40 === 0 ? `tool-${index}.v4.${index % 20}` : `tool-${index}`;
    // Several keys are fed by one source, and comments stand behind the entry that they belong to.
    const source = `image: ${registry}/tool-${index - (index % 9 === 0 ? 1 : 0)}:v${index % 7}.${index}`;
    const comment = index % 50 === 0 ? [`# needed by the tests of team ${index}`] : [];
    return [`${team}/${name}:v${index % 7}.${index}`, source, ...comment];
  });
  const streams = Array.from(
    { length: 17 },
    (_, index): Entry => [
      `edge-infrastructure/v2.${index}:assisted-service`,
      'namespace: edge-infrastructure',
      `name: ocm-2.${index}`,
      `tag: ${index % 2 === 0 ? `"${index}"` : 'assisted-service'}`,
    ],
  );
  return [
    'supplementalCIImages:',
    ...[...odd, ...images, ...streams].flatMap(entryLines),
    '# The way back. An empty entry takes the source from its key.',
    'qciToAppCIImages:',
    ...Array.from({ length: 36 }, (_, index) => `  ocp/4.${index}:installer-etcd-artifacts: {}`),
    'ignoredSources:',
    ...Array.from(
      { length: 6 },
      (_, index) => `- image: quay.io/broken/image:${index}\n  reason: broken image`,
    ),
    'artImages:',
    ...Array.from(
      { length: 8 },
      (_, index) => `- namespace: ocp\n  name: ^${index}\\.\\d+$\n  tag: ^(rhel-coreos|art-.*-${index})$`,
    ),
    '',
  ].join('\n');
}

function entryLines([key, ...lines]: Entry): readonly string[] {
  return [`  ${key}:`, ...lines.map((line) => `    ${line}`)];
}
