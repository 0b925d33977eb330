import { readFile } from 'node:fs/promises';
import { createNotifier, type Notifier } from '../../base/flow/notifier.ts';
import { watchFiles } from '../../base/state/watched-file.ts';
import type { MirrorSettings } from '../../config/config.ts';
import { ConfigError, type Fault } from '../../config/faults.ts';
import { createReadings, type Readings } from '../../image-streams/flat-tags.ts';
import { type ImageStreamTag, imageStreamTagText } from '../../image-streams/image-stream-tag.ts';
import { type MirrorConfig, parseMirrorConfig } from '../../mirror/ci/config-file.ts';
import { watchConfig } from '../../mirror/ci/config-watch.ts';
import { MirrorConfigError } from '../../mirror/ci/located-yaml.ts';
import { createMissRule } from '../../mirror/fallback/rule.ts';
import { createMissPlaces, type MissPlaces } from '../../mirror/fallback/source-rules.ts';
import type { LogMirror } from '../../mirror/log.ts';

const lookEveryMs = 10_000;

/** What the configuration's file says, as it changes. */
export interface Rules {
  readonly places: MissPlaces;
  /** What the tags of QCI stand for, by what the file says now. */
  readonly readings: Readings;
  readonly atTick?: () => Promise<MirrorConfig | undefined>;
  /** What it said when it could last be read; undefined where there is no file. */
  current(): MirrorConfig | undefined;
  /** Rings when it says something else. */
  readonly changed: Notifier;
  /**
   * Calls the listener when the file says something else, before `changed` rings. Returns the end
   * of it.
   */
  subscribe(listener: () => void): () => void;
  /** Targets that are mirrored from elsewhere, and must not be overwritten by the controller. */
  isIgnored(tag: string): boolean;
  close(): void;
}

const noConfig: MirrorConfig = Object.freeze({ supplemental: [], qciToAppCi: [], ignored: [], art: [] });

/**
 * Follows the file that the settings name; no rules but the general one without any. Rejects with
 * `ConfigError` when it cannot be used at first.
 */
export async function configuredRules(
  { configFile, misses, imageStreams }: MirrorSettings,
  tell: LogMirror,
): Promise<Rules> {
  let readings = createReadings();
  const limits = {
    readings: (flat: string) => readings(flat),
    ...(misses.imageStreams === undefined ? {} : { imageStreams: misses.imageStreams }),
  };
  const placesOf = (config: MirrorConfig): MissPlaces =>
    createMissPlaces(misses.sources, {
      'openshift-ci': createMissRule(config, limits),
      'config-file': createMissRule(config, { ...limits, imageStreams: { test: () => false } }),
    });
  let places = placesOf(noConfig);
  let targets: ReadonlySet<string> = new Set();
  const asked: MissPlaces = (place, reference) => places(place, reference);
  const isIgnored = (tag: string): boolean => targets.has(tag);
  const changed = createNotifier();
  const listeners = new Set<() => void>();
  const subscribe = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  if (configFile === undefined)
    return {
      places: asked,
      readings: limits.readings,
      current: () => undefined,
      isIgnored,
      changed,
      subscribe,
      close: () => undefined,
    };
  const read = () => readFile(configFile);
  await mirrorConfigIn(configFile);
  let isWarned = false;
  const watched = watchConfig({
    file: configFile,
    read,
    tell,
    changed(config) {
      readings = targetReadings(config);
      places = placesOf(config);
      targets = new Set(targetsOf(config).map(imageStreamTagText));
      for (const heard of listeners) heard();
      changed.notify();
      if (config.art.length === 0 || imageStreams !== undefined || isWarned) return;
      isWarned = true;
      tell('artWithoutCluster', { file: configFile });
    },
  });
  await watched.reread();
  const watch = watchFiles([configFile], { everyMs: lookEveryMs, changed: watched.reread });
  const { atTick, current } = watched;
  return {
    places: asked,
    readings: limits.readings,
    isIgnored,
    atTick,
    current,
    changed,
    subscribe,
    close: watch.close,
  };
}

/**
 * What the tags of QCI stand for under the settings: the configuration's targets first. Rejects
 * with `ConfigError` where its file cannot be used.
 */
export async function configuredReadings(settings: MirrorSettings | undefined): Promise<Readings> {
  if (settings?.configFile === undefined) return createReadings();
  return targetReadings(await mirrorConfigIn(settings.configFile));
}

/** The faults of the file as those of a configuration. */
export function configFaults({ faults }: MirrorConfigError): readonly Fault[] {
  return faults.map((fault) => ({ path: '', ...fault }));
}

/** Rejects with `ConfigError`, which holds every fault of the file. */
async function mirrorConfigIn(file: string): Promise<MirrorConfig> {
  try {
    return parseMirrorConfig(await readFile(file));
  } catch (error) {
    if (error instanceof MirrorConfigError) throw new ConfigError(file, configFaults(error));
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : '';
    throw new ConfigError(file, [{ path: '', message: `cannot be read${code}` }]);
  }
}

function targetReadings(config: MirrorConfig): Readings {
  return createReadings(targetsOf(config));
}

function targetsOf({ supplemental, qciToAppCi }: MirrorConfig): readonly ImageStreamTag[] {
  return [...supplemental, ...qciToAppCi].map(({ target }) => target);
}
