import type { Rule, WrittenRule } from './rules.ts';

/** The lists of rules that every service has; `access` of a host names one of them. */
export type RulePreset = 'parity' | 'imagestream' | 'repository' | 'open';

/** A Kubernetes namespace: a label (RFC 1123). */
const namespace = '(?<namespace>[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)';
/**
 * What the pruner, the mirror and ART write before a flat tag, and the steps of a promotion behind
 * it: neither changes who may read it. A pruned tag carries the time it was made, to the second.
 */
const marked = {
  source: '(?:\\d{14}_prune_(?:art__|__ci_images_mirror__)?|art__)?(?<flat>.+?)(?:_incoming|__pre|__post1)?',
};

/** Payloads, their components, and marks of "kept" and "to be removed", as readable as those. */
const payload = (version: string): WrittenRule => ({
  source: `(?:preserved__|remove__)?rc_payload__${version}(?:__component__[a-z0-9][a-z0-9.-]*)?`,
});

const flat: WrittenRule = { source: String.raw`quay\.io/openshift/ci` };
const anyRepository: WrittenRule = { source: '.+' };

/** Rights per image stream in CI's flat repository; the rest is for readers of every stream. */
const imagestream: readonly Rule[] = [
  {
    name: 'imagestream: dated digest',
    repositories: flat,
    tags: { source: String.raw`\d{8}_sha256_(?<hex>[0-9a-f]{64})` },
    followDigest: true,
  },
  {
    name: 'imagestream: signature',
    repositories: flat,
    tags: { source: String.raw`sha256-(?<hex>[0-9a-f]{64})(?:\.(?:sig|att|sbom))?` },
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
  { name: 'imagestream: tag', repositories: flat, tags: marked, askImageStreams: true },
  { name: 'imagestream: everything', repositories: flat, ask: { namespace: '' } },
  {
    name: 'imagestream: other repository',
    repositories: anyRepository,
    refuse: true,
    reason:
      'only quay.io/openshift/ci holds image streams as tags: write rules for this repository under rules, and name them in access of this host',
  },
];

/** One right for everything, as in the first QCI-APPCI: service accounts need only a token. */
const parity: readonly Rule[] = [
  {
    name: 'parity',
    repositories: anyRepository,
    ask: { namespace: 'ocp', version: 'v1' },
    exempt: ['system:serviceaccount:*'],
  },
];

/** A repository is an image stream: `<namespace>/<name>`, as in the OpenShift registry. */
const repository: readonly Rule[] = [
  {
    name: 'repository',
    repositories: { source: `[^/]+/${namespace}/(?<name>[^/]+)` },
    ask: { namespace: '$<namespace>', name: '$<name>' },
  },
  {
    name: 'repository: other depth',
    repositories: anyRepository,
    refuse: true,
    reason: 'a repository here has two parts, namespace/name',
  },
];

/** Every subject of a cluster. */
const open: readonly Rule[] = [{ name: 'open', repositories: anyRepository, allow: true }];

export const rulePresets: Readonly<Record<RulePreset, readonly Rule[]>> = Object.freeze({
  parity,
  imagestream,
  repository,
  open,
});
