import type { LogMirror } from '../log.ts';
import { type MirrorConfig, parseMirrorConfig } from './config-file.ts';

interface WatchedConfigOptions {
  /** For messages. */
  readonly file: string;
  readonly read: () => Promise<Uint8Array>;
  readonly tell: LogMirror;
  /** Told of a configuration that says something else than the one before; the first one too. */
  readonly changed?: (config: MirrorConfig) => void;
  /** A configuration read less than this ago is used without a check, ms. Default 30 min. */
  readonly recentMs?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * The image mirroring's configuration, which may change. Reloaded at each hourly tick, as before,
 * and when its file changes. A faulty file changes nothing.
 */
interface WatchedConfig {
  /** The last one that could be read; undefined before the first. */
  current(): MirrorConfig | undefined;
  /** The configuration for a tick, reloaded unless recent. Undefined: skip the tick. */
  atTick(): Promise<MirrorConfig | undefined>;
  /** For when the file has changed: read again in any case. Never rejects. */
  reread(): Promise<void>;
}

/** Nothing is read yet. */
export function watchConfig(options: WatchedConfigOptions): WatchedConfig {
  const { file, read, tell, changed, recentMs = 30 * 60_000, now = Date.now } = options;
  let config: MirrorConfig | undefined;
  let content: Uint8Array | undefined;
  let loadedAt = Number.NEGATIVE_INFINITY;

  async function load(): Promise<boolean> {
    tell('loadingConfig', { file });
    try {
      const bytes = await read();
      const isOther = content === undefined || Buffer.compare(content, bytes) !== 0;
      const next = isOther || config === undefined ? parseMirrorConfig(bytes) : config;
      [config, content, loadedAt] = [next, bytes, now()];
      if (isOther) changed?.(next);
      return true;
    } catch (error) {
      tell('configFailed', { file, error });
      return false;
    }
  }

  return {
    current: () => config,
    async atTick() {
      if (now() - loadedAt < recentMs) {
        tell('configLoadedRecently', { file });
        return config;
      }
      return (await load()) ? config : undefined;
    },
    reread: () => load().then(() => undefined),
  };
}
