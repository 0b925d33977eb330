import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { output } from '../flags/values.ts';

export const explainFlags = {
  config: { value: 'FILE', help: 'the settings, YAML: explain by settings and store, without a server' },
  admin: {
    value: 'URL',
    help: 'ask a running server at its admin listener, such as http://127.0.0.1:8401',
  },
  'token-file': {
    value: 'FILE',
    help: 'a file whose first token to send to it: of an operator, or of a user of a cluster',
  },
  as: {
    value: 'USER',
    help: "who pulls; system:serviceaccount:NAMESPACE:NAME for a service account. A server asks the cluster whether the token's user may impersonate; without a server the kubeconfig of the settings limits what can be asked",
  },
  groups: { value: 'A,B', help: 'groups of USER; those that Kubernetes adds by itself are added' },
  cluster: { value: 'NAME', help: "the cluster of USER; without it the first of the host's" },
  host: {
    value: 'HOST',
    help: 'the host that clients name; without it that of the reference, else the only one with auth: cluster',
  },
  'node-config': {
    value: 'FILE',
    help: 'a registries.conf: step 1 shows its mirrors for the image, in order',
  },
  checkout: {
    value: 'DIR',
    help: 'a checkout of openshift/release, for step 10; without it mirror.imageStreams.releaseRepo',
  },
  output: { ...output, help: 'text: numbered steps, or json: one document' },
} as const satisfies FlagTable;

export const explainPage: CommandPage = {
  flags: explainFlags,
  about: `WHAT is one of

  NAMESPACE/NAME:TAG     a tag of an image stream, such as ocp/4.5:base
  NAMESPACE_NAME_TAG     the same as a tag of quay.io/openshift/ci
  ci-op-…/pipeline:TAG   a tag of a job, while its namespace is there
  REGISTRY/REPOSITORY[:TAG][@DIGEST], or a digest in quay.io/openshift/ci
  a request id           of an answer of Quayside; a server is asked,
                         and remembers the latest failures
  a file                 imagestreams.json or ci-operator.log of a job: all
                         that failed in it, or the tag named beside it`,
  notes: `Steps: 0 image stream, 1 client, 2 route, 3 rights, 4 tag, 5 content, 6 upstream, 7 sources, 8 mirror, 9 source, 10 maker, 11 pruner; each ✓, ✗ or ?, with what was found, where, and how old that is; at a ✗ what to do, and who can. Nothing is changed. Only configured upstreams are asked, and each of them not often.`,
  exits: `Exits with 0 when nothing is wrong, 1 when something is, 2 for a mistake, 3 when it cannot be told.`,
};
