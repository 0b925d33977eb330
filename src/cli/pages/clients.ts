import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, output } from '../flags/values.ts';

export const generateFlags = {
  host: { value: 'HOST[:PORT]', help: 'the name by which clients reach Quayside' },
  for: {
    isList: true,
    value: 'CLIENT',
    words: ['podman', 'cri-o', 'containerd', 'docker', 'openshift', 'kubernetes'],
    help: 'podman, cri-o, containerd, docker, openshift or kubernetes; without it all',
  },
  source: {
    isList: true,
    value: 'NAME',
    help: 'what users write: a registry, or a repository in one; without it quay.io and docker.io',
  },
  path: {
    value: 'PATH',
    help: "where Quayside has the one --source; without it its own name, as in HOST/quay.io; '' where HOST stands for it",
  },
  fallback: {
    isList: true,
    value: 'LOCATION',
    help: 'asked after Quayside and before the one --source itself',
  },
  'plain-http': { ...boolean, help: 'Quayside speaks plain HTTP' },
  ca: {
    value: 'FILE',
    help: 'PEM of the authority that signed its certificate: is put where each client looks for it',
  },
  username: {
    value: 'NAME',
    help: "of the login at HOST; without it serviceaccount. Of a cluster's token the name does not matter",
  },
  'password-file': {
    value: 'FILE',
    help: 'the password, or a token of the cluster; - is standard input. Without it there is no login',
  },
  namespace: {
    value: 'NAME',
    help: 'of the pull secret, which openshift and kubernetes get with --password-file',
  },
  'service-account': { value: 'NAME', default: 'default', help: 'whose pods pull with that secret' },
  dir: {
    value: 'DIR',
    help: 'write the files below DIR, as they stand on the machine (--dir /), and print their names',
  },
  force: { ...boolean, help: 'overwrite files that exist' },
  output: { ...output, help: 'text, or json: {files: [{path, text}]}, and of --dir {written: [PATH]}' },
} as const satisfies FlagTable;

export const generatePage: CommandPage = {
  flags: generateFlags,
  notes: `Prints one file as it is, objects of a cluster as one stream for oc apply -f -, and other files each below its path. Look at it with quayside clients check.`,
  examples: [
    'quayside clients generate --host quayside.example.com --for podman --source quay.io',
    'quayside clients generate --host quayside.example.com --for openshift \\\n    --source quay-proxy.ci.openshift.org/openshift/ci --path quay.io/openshift/ci \\\n    --fallback quay.io/openshift/ci',
    'oc -n team-1 create token puller | quayside clients generate --host quayside.example.com \\\n    --for openshift --source quay.io --password-file - --namespace team-1 | oc apply -f -',
  ],
  exits: `Exits with 0, with 1 where a file exists or cannot be written, with 2 for a mistake.`,
};

export const clientsCheckFlags = {
  client: {
    isList: true,
    value: 'CLIENT',
    words: ['podman', 'cri-o', 'containerd', 'docker'],
    help: 'podman (also skopeo and buildah), cri-o, containerd or docker; without it all with a configuration',
  },
  root: {
    value: 'DIR',
    default: '/',
    help: 'all usual paths are below DIR, such as the --dir of quayside clients generate',
  },
  'registries-conf': {
    value: 'FILE',
    help: 'in place of /etc/containers/registries.conf and its .d',
  },
  'hosts-dir': { value: 'DIR', help: 'in place of /etc/containerd/certs.d' },
  'daemon-json': { value: 'FILE', help: 'in place of /etc/docker/daemon.json' },
  'auth-file': {
    value: 'FILE',
    help: 'the only logins, such as the pull secret of a namespace; without it those that the client reads',
  },
  platform: { value: 'OS/ARCH', help: "of an index; without it linux and this machine's" },
  deep: {
    ...boolean,
    help: 'read every byte of the layers and compare digests; without it one byte of each',
  },
  timeout: { value: 'SECONDS', default: '30', help: 'the longest silence of a place' },
  output: { ...output, help: 'text: a line for each place, or json: one document' },
} as const satisfies FlagTable;

export const clientsCheckPage: CommandPage = {
  flags: clientsCheckFlags,
  notes: `REFERENCE is an image as users write it: [HOST/]REPOSITORY[:TAG][@DIGEST]. Mirrors are asked in the client's order, and then the registry; each is asked, also behind one that answers, for manifest, config and layers. A line for each: ✓ it answers, ✗ it refuses, is not there, or serves wrong bytes, ? it cannot be told (silence, 429, 5xx), - the client does not ask it for this image; then the status, the registry's own reason, and what to do. Nothing is kept. Other settings of clients, such as proxies of a daemon, are not read.`,
  exits: `Exits with 0 when every place answers, 1 when something is wrong, 2 for a mistake, 3 when something cannot be told.`,
};
