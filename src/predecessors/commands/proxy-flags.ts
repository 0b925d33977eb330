import { parseGoDuration } from '../../base/text/go-duration.ts';
import type { FaultPath } from '../../config/faults.ts';
import { ambient, type GoFlags, type GoFlagTable, parseGoFlags } from './go-flags.ts';
import { ours, ownFlags } from './own-flags.ts';

/** The upstream, host and cluster of that program: one of each, the last two without names. */
export const theirs = { upstream: 'quay.io', host: '*', cluster: 'app.ci' } as const;

const host = (key: string): FaultPath => ['hosts', theirs.host, key];
const credentials = (key: string): FaultPath => ['upstreams', theirs.upstream, 'credentials', key];
const robots = (key: string): FaultPath => [...host('robots'), key];

/** The robot's login at the upstream is also accepted from clients. */
export const proxyFlags = {
  'listen-addr': {
    default: '127.0.0.1:8400',
    places: [['listen']],
    read: listenAddress,
    value: 'HOST:PORT',
    help: 'always HTTPS',
  },
  'exposed-host': {
    default: 'quay-proxy.ci.openshift.org',
    places: [['publicUrl']],
    read: (name) => `https://${name}`,
    value: 'HOST',
    help: 'the host name that clients use and log in to',
  },
  gracePeriod: {
    default: '10s',
    places: [['shutdownGraceMs']],
    read: parseGoDuration,
    value: 'DURATION',
    help: 'for requests under way at SIGTERM',
  },
  'robot-username-file': {
    isRequired: true,
    places: [credentials('usernameFile'), robots('usernameFile')],
    value: 'FILE',
    help: 'required, with --robot-password-file: the login at quay.io, accepted here too',
  },
  'robot-password-file': {
    isRequired: true,
    places: [credentials('passwordFile'), robots('passwordFile')],
    value: 'FILE',
    help: 'required, with --robot-username-file',
  },
  'token-secret-file': {
    isRequired: true,
    places: [host('tokenSecretFile')],
    value: 'FILE',
    help: 'required; lines of 32 bytes or more, the first signs our tokens and all are accepted',
  },
  'token-validity': {
    default: '21600s',
    places: [host('tokenValiditySeconds')],
    read: wholeSeconds,
    value: 'DURATION',
    help: 'how long our tokens are valid',
  },
  'tls-cert-file': {
    isRequired: true,
    places: [['tls', 'certFile']],
    value: 'FILE',
    help: 'required, with --tls-key-file',
  },
  'tls-key-file': {
    isRequired: true,
    places: [['tls', 'keyFile']],
    value: 'FILE',
    help: 'required, with --tls-cert-file',
  },
  interval: {
    default: '30s',
    places: [],
    read: parseGoDuration,
    value: 'DURATION',
    help: 'accepted, without effect: a token for quay.io is renewed before it expires',
  },
  kubeconfig: {
    places: [['clusters', theirs.cluster, 'kubeconfigFile']],
    value: 'FILE',
    ...ours,
    help: 'the cluster of the users; without it $KUBECONFIG, then the cluster it runs in',
  },
  config: { places: [], value: 'FILE', ...ours, help: 'more settings, YAML; a flag wins over them' },
  ...ownFlags,
} as const satisfies GoFlagTable;

/** The settings of a command line, with `KUBECONFIG`. Throws `UsageError` for unknown flags. */
export function parseProxyFlags(args: readonly string[], kubeconfig: string | undefined): GoFlags {
  return parseGoFlags({ ...proxyFlags, kubeconfig: ambient(proxyFlags.kubeconfig, kubeconfig) }, args);
}

/** Go's `:8400` means every address. */
function listenAddress(text: string): string {
  return text.startsWith(':') ? `0.0.0.0${text}` : text;
}

function wholeSeconds(text: string): number {
  return Math.floor(parseGoDuration(text) / 1000);
}
