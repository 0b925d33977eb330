import type { Path } from '../config/faults.ts';
import { parsed } from './arguments.ts';
import { parseGoDuration } from './go-duration.ts';

/** One flag of the program `qci-appci`, or one that we have beside them. */
interface Flag {
  /** As one would write it. Default: none, the settings below it are then what they are without it. */
  readonly default?: string;
  /** It has no default, and nothing can be served without it. */
  readonly isRequired?: true;
  /** The settings that it decides. None: it is accepted and has nothing left to decide. */
  readonly places: readonly Path[];
  /** The setting's value. Throws an Error that says what is accepted. Default: the text as it is. */
  readonly read?: (text: string) => unknown;
}

/** The upstream, the host and the cluster of that program: one of each, and it had no names for the last two. */
export const theirs = { upstream: 'quay.io', host: '*', cluster: 'app.ci' } as const;

const host = (key: string): Path => ['hosts', theirs.host, key];
const credentials = (key: string): Path => ['upstreams', theirs.upstream, 'credentials', key];
const robots = (key: string): Path => [...host('robots'), key];

/** The pair of the robot logs us in upstream, and whoever else shows it here. */
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
} as const satisfies Readonly<Record<string, Flag>>;

const options = Object.fromEntries(Object.keys(flags).map((name) => [name, { type: 'string' } as const]));

/** One setting that a flag decides. */
export interface Decided {
  readonly flag: string;
  readonly place: Path;
  readonly value: unknown;
}

/** Something that is wrong with a flag, in one clause that follows its name. */
export interface Complaint {
  readonly flag: string;
  readonly message: string;
}

/** What a command line means. */
export interface ProxyFlags {
  /** By flags that were given. */
  readonly given: readonly Decided[];
  /** By flags that were not, and have a default. */
  readonly assumed: readonly Decided[];
  readonly complaints: readonly Complaint[];
  /** `--config`: more settings. */
  readonly configFile: string | undefined;
  /** `--print-config` */
  readonly isPrinted: boolean;
}

/**
 * Reads flags as Go does: one dash or two, the value behind `=` or as the next word, the last of several counts. `KUBECONFIG` stands
 * for `--kubeconfig` where neither that nor a file says it. Throws `UsageError` for a flag that there is not.
 */
export function parseProxyFlags(args: readonly string[], kubeconfig: string | undefined): ProxyFlags {
  const { values, positionals } = parsed(args.map(withTwoDashes), {
    ...options,
    config: { type: 'string' },
    'print-config': { type: 'boolean' },
  });
  const written = new Map<string, unknown>(Object.entries(values));
  const configFile = written.get('config');
  const ambient = kubeconfig === undefined || kubeconfig === '' ? {} : { default: kubeconfig };
  const known = { ...flags, kubeconfig: { ...flags.kubeconfig, ...ambient } };
  const readings = Object.entries<Flag>(known).map(([name, flag]) => reading(name, flag, written.get(name)));
  return {
    given: readings.flatMap(({ isGiven, decided }) => (isGiven ? decided : [])),
    assumed: readings.flatMap(({ isGiven, decided }) => (isGiven ? [] : decided)),
    complaints: [
      ...positionals.map((word) => ({ flag: word, message: 'is no flag' })),
      ...readings.flatMap(({ complaint }) => complaint ?? []),
    ],
    configFile: typeof configFile === 'string' ? configFile : undefined,
    isPrinted: written.has('print-config'),
  };
}

interface Reading {
  readonly isGiven: boolean;
  readonly decided: readonly Decided[];
  readonly complaint?: Complaint;
}

function reading(name: string, flag: Flag, given: unknown): Reading {
  const isGiven = typeof given === 'string';
  const text = isGiven ? given : flag.default;
  const refused = (message: string): Reading => ({
    isGiven,
    decided: [],
    complaint: { flag: `--${name}`, message },
  });
  if (text === '' || (text === undefined && flag.isRequired === true)) return refused('must not be empty');
  if (text === undefined) return { isGiven, decided: [] };
  try {
    const value = flag.read?.(text) ?? text;
    return { isGiven, decided: flag.places.map((place) => ({ flag: `--${name}`, place, value })) };
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error));
  }
}

function withTwoDashes(word: string): string {
  return word.replace(/^-(?=[A-Za-z]{2})/, '--');
}

/** Go's `:8400` means every address. */
function listenAddress(text: string): string {
  return text.startsWith(':') ? `0.0.0.0${text}` : text;
}

function wholeSeconds(text: string): number {
  return Math.floor(parseGoDuration(text) / 1000);
}
