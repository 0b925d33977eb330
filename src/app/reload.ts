import { isDeepStrictEqual } from 'node:util';
import { Expression } from '../base/text/expression.ts';
import { type Fields, fieldsOf, isObject } from '../base/text/json.ts';
import { ConfigError, type FaultPath, faultLine, isWithin, pathText } from '../config/faults.ts';
import type { Config } from '../config/load.ts';
import type { Log } from '../telemetry/log.ts';

/** A configuration of which everything is made. The first of the two calls counts. */
export interface PreparedReload {
  /** It is in force, as a whole, when this returns. */
  take(): void;
  /** Closes what was made for it. */
  discard(): Promise<void>;
}

interface ReloadOptions {
  readonly started: Config;
  /** Reads the configuration as it is now; throws `ConfigError` with all that is wrong with it. */
  readonly read: () => Promise<Config>;
  /**
   * Takes over a configuration that differs in reloadable settings, as a whole. Rejects, and
   * changes nothing, when it cannot.
   */
  readonly apply: (config: Config) => Promise<void> | void;
  /** Told after each reload which settings wait for a restart, and why the file was refused. */
  readonly pending?: (settings: readonly string[], refused?: string) => void;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** The pause after a refusal, in milliseconds: a file that it names may come. Default 10,000. */
  readonly againMs?: number;
}

/** Reloads the configuration and applies what it can; awaits running calls. Never rejects. */
export interface Reload {
  (): Promise<void>;
  /** Tries a refused file no more. */
  close(): void;
}

/**
 * Reloads settings. A faulty configuration changes nothing: the log names every fault, and it is
 * read again until it is sound. Of a valid one the reloadable settings take effect together, and
 * the log names those that need a restart.
 */
export function reloading(options: ReloadOptions): Reload {
  const { started, read, apply, pending, log, againMs = 10_000 } = options;
  let current = started;
  let last = Promise.resolve();
  let again: NodeJS.Timeout | undefined;
  let isClosed = false;
  let complaint = '';

  async function reload(): Promise<void> {
    clearTimeout(again);
    const config = await read();
    const next = inForce(started, config);
    const taken = changes(current, next).filter(isReloadable);
    const waiting = changes(started, config).filter((path) => !isReloadable(path));
    if (taken.length > 0) await apply(next);
    current = next;
    complaint = '';
    pending?.(waiting.map(pathText));
    log.info({ settings: taken.map(pathText) }, 'configuration reloaded');
    if (waiting.length > 0)
      log.warn({ settings: waiting.map(pathText) }, 'changed settings take effect only after a restart');
  }

  const refused = (error: unknown): void => {
    if (isClosed) return;
    again = setTimeout(() => void call(), againMs).unref();
    const lines = complaintsOf(error);
    const isNews = lines.join('\n') !== complaint;
    complaint = lines.join('\n');
    pending?.([], complaint);
    const why = error instanceof ConfigError ? { faults: lines } : { err: error };
    if (isNews) log.warn(why, 'cannot reload the configuration; the previous one stays in force');
  };

  const call = (): Promise<void> => {
    last = last.then(reload).catch(refused);
    return last;
  };

  return Object.assign(call, {
    close() {
      isClosed = true;
      clearTimeout(again);
    },
  });
}

function complaintsOf(error: unknown): readonly string[] {
  if (error instanceof ConfigError) return error.faults.map((fault) => faultLine(error.fileName, fault));
  return [error instanceof Error ? error.message : String(error)];
}

/**
 * The settings that a running server takes over; `*` stands for every key. A change of any other
 * takes a restart.
 */
export const reloadable: readonly (readonly string[])[] = [
  ['clusters'],
  ['credentialHelpers'],
  ['defaultUpstream'],
  ['eviction'],
  ['hosts'],
  ['limits'],
  ['log', 'level'],
  ['mirror', 'attachments'],
  ['mirror', 'authFile'],
  ['mirror', 'configFile'],
  ['mirror', 'dryRun'],
  ['mirror', 'imageStreams'],
  ['mirror', 'images'],
  ['mirror', 'lease'],
  ['mirror', 'maxPerRegistry'],
  ['mirror', 'misses'],
  ['publicUrl'],
  ['rules'],
  ['tags'],
  ['trustedProxies'],
  ['upstreams'],
];

/** True for a setting that a running server takes over, and for what is within one. */
export function isReloadable(path: FaultPath): boolean {
  return (
    isMirror(path) ||
    reloadable.some((place) =>
      place.every((key, index) => path.length > index && (key === '*' || key === path[index])),
    )
  );
}

/** The mirror may come and go. Where it had, or gets, an address, that waits for a restart. */
function isMirror(path: FaultPath): boolean {
  return path.length === 1 && path[0] === 'mirror';
}

/** The settings in which two configurations differ, each of which is taken over or waits. */
function changes(before: Config, after: Config): readonly FaultPath[] {
  const isMoved = (before.mirror?.listen || false) !== (after.mirror?.listen || false);
  return differences(before, after).flatMap((path) =>
    isMirror(path) && isMoved ? [path, ['mirror', 'listen']] : [path],
  );
}

/**
 * A configuration as a server has it that was started with another one: with its reloadable
 * settings, and all others as they were. A cluster that one of those others names stays.
 */
export function inForce(started: Config, config: Config): Config {
  const waiting = changes(started, config).filter((path) => !isReloadable(path));
  const kept = waiting.reduce<unknown>(
    (settings, path) => withSetting(settings, path, settingAt(started, path)),
    config,
  ) as Config;
  const { admin, conditions, mirror } = kept;
  const named = [
    admin.cluster,
    conditions.cluster,
    mirror?.lease?.cluster,
    mirror?.imageStreams?.cluster,
  ].flatMap((name) => (name === undefined || kept.clusters[name] !== undefined ? [] : [name]));
  const clusters = named.flatMap((name) => {
    const cluster = started.clusters[name];
    return cluster === undefined ? [] : [[name, cluster] as const];
  });
  if (clusters.length === 0) return kept;
  return { ...kept, clusters: { ...kept.clusters, ...Object.fromEntries(clusters) } };
}

function settingAt(settings: unknown, path: FaultPath): unknown {
  return path.reduce<unknown>((place, key) => fieldsOf(place)[key], settings);
}

/**
 * A copy in which the setting has that value, or is absent for undefined. One within a section that
 * is absent stays so.
 */
function withSetting(settings: unknown, [key, ...rest]: FaultPath, value: unknown): unknown {
  if (key === undefined) return value;
  if (settings === undefined) return undefined;
  const { [key]: before, ...others } = fieldsOf(settings);
  const after = withSetting(before, rest, value);
  return after === undefined ? others : { ...others, [key]: after };
}

/** What decides who may pull what. */
const rights: readonly FaultPath[] = [['clusters'], ['hosts'], ['rules']];
/** Settings of a host that give no right. */
const delivery = new Set(['blobs', 'tokenValiditySeconds']);

/** True where rights may be others, or fewer, under the second configuration. */
export function changesRights(before: Config, after: Config): boolean {
  return differences(before, after).some((path) => {
    const [, , setting] = path;
    return rights.some((place) => isWithin(path, place)) && !delivery.has(String(setting));
  });
}

/** The settings in which two configurations differ; lists are compared as a whole. */
export function differences(before: unknown, after: unknown, path: FaultPath = []): readonly FaultPath[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isSection(before) || !isSection(after)) return [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differences(before[key], after[key], [...path, key]));
}

function isSection(value: unknown): value is Fields {
  return isObject(value) && !(value instanceof Expression);
}
