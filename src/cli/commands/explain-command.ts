import type { Command } from './command.ts';

/** Why a pull fails. */
export const explainCommand: Command = {
  name: 'explain',
  summary: 'say why an image cannot be pulled, step by step, and what to do about it',
  usage: '[--config FILE | --admin URL] [--as USER [--groups A,B]] [OPTION]... WHAT...',
  help: `WHAT is one of
  NAMESPACE/NAME:TAG     a tag of an image stream, such as ocp/4.5:base
  NAMESPACE_NAME_TAG     the same as a tag of quay.io/openshift/ci
  ci-op-…/pipeline:TAG   a tag of a job, while its namespace is there
  REGISTRY/REPOSITORY[:TAG][@DIGEST], or a digest in quay.io/openshift/ci
  a request id           of an answer of Quayside; a server is asked, and remembers the latest failures
  a file                 imagestreams.json or ci-operator.log of a job: all that failed in it, or the tag named beside it

  --config FILE          the settings, YAML: explain by settings and store, without a server
  --admin URL            ask a running server at its admin listener, such as http://127.0.0.1:8401
  --token-file FILE      a file whose first token to send to it: of an operator, or of a user of a cluster
  --as USER              who pulls; system:serviceaccount:NAMESPACE:NAME for a service account. A server asks the cluster whether the
                         token's user may impersonate; without a server the kubeconfig of the settings limits what can be asked
  --groups A,B           groups of USER; those that Kubernetes adds by itself are added
  --cluster NAME         the cluster of USER; default: the first of the host's
  --host HOST            the host that clients name; default: that of the reference, else the only one with auth: cluster
  --node-config FILE     a registries.conf: step 1 shows its mirrors for the image, in order
  --checkout DIR         a checkout of openshift/release, for step 10; default: mirror.imageStreams.releaseRepo
  -o, --output json      one JSON document

Steps: 0 image stream, 1 client, 2 route, 3 rights, 4 tag, 5 content, 6 upstream, 7 sources, 8 mirror, 9 source, 10 maker, 11 pruner;
each ✓, ✗ or ?, with what was found, where, and how old that is; at a ✗ what to do, and who can. Nothing is changed. Only configured
upstreams are asked, and each of them not often.

Exits with 0 when nothing is wrong, 1 when something is, 2 for a mistake, 3 when it cannot be told.`,
  run: async (args, io) => (await import('../explain/explain.ts')).explain(args, io),
};
