import { UsageError } from '../../flags/arguments.ts';
import { isHost, type Location, locationText, parseLocation } from '../location.ts';

/** The clients that files are made for. */
export const clientNames = ['podman', 'cri-o', 'containerd', 'docker', 'openshift', 'kubernetes'] as const;

export type ClientName = (typeof clientNames)[number];

/** What users write, and where clients look for it, in this order, before the source itself. */
export interface MirroredSource {
  readonly source: Location;
  /** At Quayside. */
  readonly mirror: Location;
  /** After Quayside. */
  readonly fallbacks: readonly Location[];
}

/** A user name and a password, or a token of a cluster in its place. */
export interface ClientLogin {
  readonly username: string;
  readonly password: string;
}

/** All that the files say. */
export interface WantedFiles {
  /** Quayside, as clients name it. */
  readonly host: string;
  readonly isPlainHttp: boolean;
  readonly sources: readonly MirroredSource[];
  /** PEM of the authority that signed Quayside's certificate. */
  readonly ca?: string;
  readonly login?: ClientLogin;
  /** Of the pull secret. */
  readonly namespace?: string;
  /** Whose pods pull with that secret. */
  readonly serviceAccount: string;
}

/** A file for a client, or an object for a cluster. */
export interface ClientFile {
  /** Below the root of the machine, or of the directory that is written to. */
  readonly path: string;
  readonly text: string;
  /** Holds a login: readable by its owner alone. */
  readonly isSecret?: true;
}

interface SourceWords {
  readonly host: string;
  readonly source: readonly string[];
  readonly path: string | undefined;
  readonly fallback: readonly string[];
}

const usualSources = ['quay.io', 'docker.io'];

/** Reads the words of a command line. Throws `UsageError` that says what would be valid. */
export function mirroredSources({ host, source, path, fallback }: SourceWords): readonly MirroredSource[] {
  const names = source.length === 0 ? usualSources : source;
  if (names.length > 1 && (path !== undefined || fallback.length > 0))
    throw new UsageError('--path and --fallback are for one --source; run it once for each');
  const sources = names.map((name) => {
    const from = locationOf('--source', name);
    const mirror = locationOf('--path', [host, path ?? name].filter((part) => part !== '').join('/'));
    return {
      source: from,
      mirror,
      fallbacks: fallback.map((text) => locationOf('--fallback', text)),
    };
  });
  const twice = sources.find((one, index) => sources.slice(0, index).some((other) => isSame(one, other)));
  if (twice !== undefined) throw new UsageError(`--source ${locationText(twice.source)} is given twice`);
  return sources;
}

function isSame(one: MirroredSource, other: MirroredSource): boolean {
  return locationText(one.source) === locationText(other.source);
}

/** The host; throws `UsageError` for a URL and for anything else that is none. */
export function checkedHost(host: string | undefined): string {
  if (host === undefined || host === '')
    throw new UsageError('needs --host HOST[:PORT], the name by which clients reach Quayside');
  if (!isHost(host)) throw new UsageError(`--host takes a host name with or without a port, not ${host}`);
  return host;
}

function locationOf(flag: string, text: string): Location {
  const location = parseLocation(text);
  if (location === undefined)
    throw new UsageError(
      `${flag} ${text} is no location: a registry such as quay.io, or a repository in one such as quay.io/openshift/ci`,
    );
  return location;
}
