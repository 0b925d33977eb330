import type { Command } from './command.ts';

/** What is about the clients of Quayside: their files, and why a pull of theirs fails. */
export const clientCommands: readonly Command[] = [
  {
    name: 'clients generate',
    summary: 'print or write the files that make clients pull through Quayside',
    usage: '--host HOST[:PORT] [--for CLIENT]... [--source NAME]... [OPTION]...',
    help: `  --host HOST[:PORT]     the name by which clients reach Quayside
  --for CLIENT           podman, cri-o, containerd, docker, openshift or kubernetes; may be repeated; default: all
  --source NAME          what users write: a registry, or a repository in one; may be repeated; default: quay.io and docker.io
  --path PATH            where Quayside has the one --source; default: its own name, as in HOST/quay.io; '' where HOST stands for it
  --fallback LOCATION    asked after Quayside and before the one --source itself; may be repeated
  --plain-http           Quayside speaks plain HTTP
  --ca FILE              PEM of the authority that signed its certificate: is put where each client looks for it
  --username NAME        of the login at HOST; default: serviceaccount. Of a cluster's token the name does not matter
  --password-file FILE   the password, or a token of the cluster; - is standard input. Without it there is no login
  --namespace NAME       of the pull secret, which openshift and kubernetes get with --password-file
  --service-account NAME whose pods pull with that secret; default: default
  --output DIR           write the files below DIR, as they stand on the machine (--output /), and print their names
  --force                overwrite files that exist

Prints one file as it is, objects of a cluster as one stream for oc apply -f -, and other files each below its path.

  quayside clients generate --host quayside.example.com --for podman --source quay.io
  quayside clients generate --host quayside.example.com --for openshift --source quay-proxy.ci.openshift.org/openshift/ci \\
    --path quay.io/openshift/ci --fallback quay.io/openshift/ci
  oc -n team-1 create token puller | quayside clients generate --host quayside.example.com --for openshift \\
    --source quay.io --password-file - --namespace team-1 | oc apply -f -

Exits with 0, with 1 where a file exists or cannot be written, with 2 for a mistake. Look at it with quayside clients check.`,
    run: async (args, io) => (await import('../clients/generate/generate.ts')).clientsGenerate(args, io),
  },
  {
    name: 'clients check',
    summary: 'pull through each place that a client of this machine asks, and say which answers',
    usage: '[--client CLIENT]... [OPTION]... REFERENCE',
    help: `  --client CLIENT        podman (also skopeo and buildah), cri-o, containerd or docker; may be repeated; default: all with a configuration
  --root DIR             all usual paths are below DIR, such as the --output of quayside clients generate; default: /
  --registries-conf FILE, --hosts-dir DIR, --daemon-json FILE   in place of /etc/containers/registries.conf and its .d,
                         /etc/containerd/certs.d, /etc/docker/daemon.json
  --auth-file FILE       the only logins, such as the pull secret of a namespace; default: those that the client reads
  --platform OS/ARCH     of an index; default: linux and this machine's
  --deep                 read every byte of the layers and compare digests; default: one byte of each
  --timeout SECONDS      the longest silence of a place; default: 30
  --output json          one JSON document

REFERENCE is an image as users write it: [HOST/]REPOSITORY[:TAG][@DIGEST]. Mirrors are asked in the client's order, and then the
registry; each is asked, also behind one that answers, for manifest, config and layers. A line for each: ✓ it answers, ✗ it refuses,
is not there, or serves wrong bytes, ? it cannot be told (silence, 429, 5xx), - the client does not ask it for this image; then the
status, the registry's own reason, and what to do. Nothing is kept. Other settings of clients, such as proxies of a daemon, are not read.

Exits with 0 when every place answers, 1 when something is wrong, 2 for a mistake, 3 when something cannot be told.`,
    run: async (args, io) => (await import('../clients/check/check.ts')).clientsCheck(args, io),
  },
  {
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
  },
];
