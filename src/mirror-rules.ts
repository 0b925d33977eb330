import { readFile } from 'node:fs/promises';
import type { MirrorSettings } from './config/config.ts';
import { fileWatch } from './file-watch.ts';
import { type MirrorConfig, parseMirrorConfig } from './mirror/loop/config-file.ts';
import { watchedConfig } from './mirror/loop/config-watch.ts';
import type { Tell } from './mirror/loop/mirror-log.ts';
import { type MissRule, missRule } from './mirror/misses/miss-rule.ts';
import { imageStreamTagText } from './mirror/names.ts';
import { type Bell, bell } from './mirror/queue/bell.ts';

/** How often the configuration's file is looked at, milliseconds. */
const lookEveryMs = 10_000;

/** What the configuration's file says, as it changes. */
export interface Rules {
  readonly rule: MissRule;
  /** Absent where there is no file. */
  readonly atTick?: () => Promise<MirrorConfig | undefined>;
  /** What it said when it could last be read; undefined where there is no file. */
  current(): MirrorConfig | undefined;
  /** Rings when it says something else. */
  readonly changed: Bell;
  /** Targets that are mirrored from elsewhere, and must not be overwritten by the controller. */
  isIgnored(tag: string): boolean;
  close(): void;
}

const noConfig: MirrorConfig = Object.freeze({ supplemental: [], qciToAppCi: [], ignored: [], art: [] });

/** Follows the file that the settings name; no rules but the general one without any. Rejects when it cannot be read at first. */
export async function configuredRules(
  { configFile, misses, imageStreams }: MirrorSettings,
  tell: Tell,
): Promise<Rules> {
  const limits = misses.imageStreams === undefined ? {} : { imageStreams: misses.imageStreams };
  let rule = missRule(noConfig, limits);
  let targets: ReadonlySet<string> = new Set();
  const asked: MissRule = (place, tag) => rule(place, tag);
  const isIgnored = (tag: string): boolean => targets.has(tag);
  const changed = bell();
  if (configFile === undefined)
    return { rule: asked, current: () => undefined, isIgnored, changed, close: () => undefined };
  const read = () => readFile(configFile);
  parseMirrorConfig(await read());
  let isWarned = false;
  const watched = watchedConfig({
    file: configFile,
    read,
    tell,
    changed(config) {
      rule = missRule(config, limits);
      targets = new Set(
        [...config.supplemental, ...config.qciToAppCi].map(({ target }) => imageStreamTagText(target)),
      );
      changed.ring();
      if (config.art.length === 0 || imageStreams !== undefined || isWarned) return;
      isWarned = true;
      tell('artWithoutCluster', { file: configFile });
    },
  });
  await watched.reread();
  const watch = fileWatch([configFile], { everyMs: lookEveryMs, changed: watched.reread });
  const { atTick, current } = watched;
  return { rule: asked, isIgnored, atTick, current, changed, close: watch.close };
}
