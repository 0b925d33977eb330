import type { Rule } from './rules.ts';

/** The lists of rules that every service has; `access` of a host names one of them. */
export type RulePreset = 'parity' | 'imagestream' | 'repository' | 'open';

/** A Kubernetes namespace: a label (RFC 1123). */
const namespace = '(?<namespace>[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)';
const name = '(?<name>[a-z0-9][a-z0-9.-]*)';

/**
 * `<namespace>_<name>_<tag>`, as promotion writes it, also staged (`_incoming`), before and after a move (`__pre`, `__post1`): what
 * follows the name does not change who may read it. A namespace of digits alone is left out, because whoever may create
 * namespaces could claim the time stamp of others' tags; so are `rc_payload` and a tag that begins with `_`, which are no floats.
 */
const float = `(?!\\d+_|rc_payload(?:_|$))${namespace}_${name}_[A-Za-z0-9][\\w.-]*`;

/** What the pruner, the mirror and ART write before a float; pruned tags carry the time they were made, to the second. */
const before = '(?:\\d{14}_prune_(?:art__|__ci_images_mirror__)?|art__)?';

/** Payloads, their components, and the marks that say "kept" and "to be removed", which give away no more than the payload. */
const payload = (version: string): RegExp =>
  new RegExp(`(?:preserved__|remove__)?rc_payload__${version}(?:__component__[a-z0-9][a-z0-9.-]*)?`);

const flat = /quay\.io\/openshift\/ci/;

/**
 * Rights per image stream in the one flat repository of CI. What no rule here reads, and what no tag leads to, is for those who
 * may read every image stream.
 */
const imagestream: readonly Rule[] = [
  {
    name: 'imagestream: dated digest',
    repositories: flat,
    tags: /\d{8}_sha256_(?<hex>[0-9a-f]{64})/,
    followDigest: true,
  },
  {
    name: 'imagestream: signature',
    repositories: flat,
    tags: /sha256-(?<hex>[0-9a-f]{64})(?:\.(?:sig|att|sbom))?/,
    followDigest: true,
  },
  {
    name: 'imagestream: private payload',
    repositories: flat,
    tags: payload('[0-9][0-9a-z.-]*-priv[0-9a-z.-]*'),
    ask: { namespace: 'ocp-priv', name: 'release-priv' },
  },
  {
    name: 'imagestream: payload',
    repositories: flat,
    tags: payload('[0-9][0-9a-z.-]*'),
    ask: { namespace: 'ocp', name: 'release' },
  },
  {
    name: 'imagestream: tag',
    repositories: flat,
    tags: new RegExp(`${before}${float}`),
    ask: { namespace: '$<namespace>', name: '$<name>' },
  },
  { name: 'imagestream: everything', repositories: flat, ask: { namespace: '' } },
  {
    name: 'imagestream: other repository',
    repositories: /.+/,
    refuse: true,
    reason:
      'only quay.io/openshift/ci holds image streams as tags: write rules for this repository under rules, and name them in access of this host',
  },
];

/** One right for everything, as the first QCI-APPCI had it: service accounts need no more than a token. */
const parity: readonly Rule[] = [
  {
    name: 'parity',
    repositories: /.+/,
    ask: { namespace: 'ocp', version: 'v1' },
    exempt: ['system:serviceaccount:*'],
  },
];

/** A repository is an image stream: `<namespace>/<name>`, as in the OpenShift registry. */
const repository: readonly Rule[] = [
  {
    name: 'repository',
    repositories: new RegExp(`[^/]+/${namespace}/(?<name>[^/]+)`),
    ask: { namespace: '$<namespace>', name: '$<name>' },
  },
  {
    name: 'repository: other depth',
    repositories: /.+/,
    refuse: true,
    reason: 'a repository here has two parts, namespace/name',
  },
];

/** Whoever a cluster knows. */
const open: readonly Rule[] = [{ name: 'open', repositories: /.+/, allow: true }];

export const rulePresets: Readonly<Record<RulePreset, readonly Rule[]>> = Object.freeze({
  parity,
  imagestream,
  repository,
  open,
});
