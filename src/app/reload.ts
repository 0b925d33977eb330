import { isDeepStrictEqual } from 'node:util';
import { Expression } from '../base/text/expression.ts';
import { type Fields, isObject } from '../base/text/json.ts';
import { ConfigError, type FaultPath, faultLine, pathText } from '../config/faults.ts';
import type { Config } from '../config/load.ts';
import type { BlobModes } from '../proxy/pull/blob-modes.ts';
import type { Log } from '../telemetry/log.ts';

interface ReloadOptions {
  readonly started: Config;
  /** Reads the configuration as it is now; throws `ConfigError` with all that is wrong with it. */
  readonly read: () => Promise<Config>;
  /** Gets a sound configuration, to take over what `isReloadable` names. */
  readonly apply: (config: Config) => void;
  /** Told which changed settings wait for a restart, after each reload. */
  readonly pending?: (settings: readonly string[]) => void;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

/** Reloads the configuration and applies what it can; awaits running calls. Never rejects. */
export type Reload = () => Promise<void>;

/**
 * Reloads settings. A faulty configuration changes nothing: the log names every fault. Of a valid
 * one the reloadable settings take effect, and the log names those that need a restart.
 */
export function reloading({ started, read, apply, pending, log }: ReloadOptions): Reload {
  let current = started;
  let last = Promise.resolve();

  async function reload(): Promise<void> {
    const config = await read();
    const taken = differences(current, config).filter(isReloadable);
    const waiting = differences(started, config).filter((path) => !isReloadable(path));
    if (taken.length > 0) apply(config);
    current = config;
    pending?.(waiting.map(pathText));
    log.info({ settings: taken.map(pathText) }, 'configuration reloaded');
    if (waiting.length > 0)
      log.warn({ settings: waiting.map(pathText) }, 'changed settings take effect only after a restart');
  }

  const refused = (error: unknown): void => {
    const why =
      error instanceof ConfigError
        ? { faults: error.faults.map((fault) => faultLine(error.fileName, fault)) }
        : { err: error };
    log.warn(why, 'cannot reload the configuration; the previous one stays in force');
  };

  return () => {
    last = last.then(reload).catch(refused);
    return last;
  };
}

/**
 * True for what a running server takes over: `hosts.*.blobs`, `log.level` and
 * `clusters.*.streams.trusted`.
 */
export function isReloadable(path: FaultPath): boolean {
  const [first, second, last, ...rest] = path;
  if (first === 'log') return second === 'level';
  if (first === 'clusters') return last === 'streams' && rest.length === 1 && rest[0] === 'trusted';
  return first === 'hosts' && last === 'blobs' && rest.length === 0;
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

/** How the settings want blobs delivered, by the name of the host. */
export function blobModesOf({ hosts }: Config): BlobModes {
  return new Map(
    Object.entries(hosts).flatMap(([name, { blobs }]) => (blobs === undefined ? [] : [[name, blobs]])),
  );
}
