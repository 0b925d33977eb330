import type { FaultPath } from '../../config/faults.ts';
import { parseGoDuration } from './go-duration.ts';
import { ambient, type GoFlags, type GoFlagTable, parseGoFlags } from './go-flags.ts';

/** The upstream, host and cluster of that program: one of each, the last two without names. */
export const theirs = { upstream: 'quay.io', host: '*', cluster: 'app.ci' } as const;

const host = (key: string): FaultPath => ['hosts', theirs.host, key];
const credentials = (key: string): FaultPath => ['upstreams', theirs.upstream, 'credentials', key];
const robots = (key: string): FaultPath => [...host('robots'), key];

/** The robot's login at the upstream is also accepted from clients. */
const flags = {
  'listen-addr': { default: '127.0.0.1:8400', places: [['listen']], read: listenAddress },
  'exposed-host': {
    default: 'quay-proxy.ci.openshift.org',
    places: [['publicUrl']],
    read: (name) => `https://${name}`,
  },
  gracePeriod: { default: '10s', places: [['shutdownGraceMs']], read: parseGoDuration },
  'robot-username-file': { isRequired: true, places: [credentials('usernameFile'), robots('usernameFile')] },
  'robot-password-file': { isRequired: true, places: [credentials('passwordFile'), robots('passwordFile')] },
  'token-secret-file': { isRequired: true, places: [host('tokenSecretFile')] },
  'token-validity': { default: '21600s', places: [host('tokenValiditySeconds')], read: wholeSeconds },
  'tls-cert-file': { isRequired: true, places: [['tls', 'certFile']] },
  'tls-key-file': { isRequired: true, places: [['tls', 'keyFile']] },
  interval: { default: '30s', places: [], read: parseGoDuration },
  kubeconfig: { places: [['clusters', theirs.cluster, 'kubeconfigFile']] },
  config: { places: [] },
  'print-config': { isSwitch: true, places: [] },
} as const satisfies GoFlagTable;

/** The settings of a command line, with `KUBECONFIG`. Throws `UsageError` for unknown flags. */
export function parseProxyFlags(args: readonly string[], kubeconfig: string | undefined): GoFlags {
  return parseGoFlags({ ...flags, kubeconfig: ambient(flags.kubeconfig, kubeconfig) }, args);
}

/** Go's `:8400` means every address. */
function listenAddress(text: string): string {
  return text.startsWith(':') ? `0.0.0.0${text}` : text;
}

function wholeSeconds(text: string): number {
  return Math.floor(parseGoDuration(text) / 1000);
}
