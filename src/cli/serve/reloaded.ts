import { reloading } from '../../app/reload.ts';
import { watchFiles } from '../../base/state/watched-file.ts';
import type { Config } from '../../config/load.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Io } from '../flags/io.ts';
import type { LogFormat } from '../pages/server.ts';

/** Where a configuration comes from. */
export interface ConfigSource {
  /**
   * Reads all of it, now, or of this text in place of that of the file. Throws `ConfigError` with
   * all that is wrong.
   */
  readonly read: (settings?: string) => Promise<Config>;
  /**
   * The same of this text of the file, which was sound before. Does not look at the files that it
   * names: a process that comes in place of another one starts without those that are gone.
   */
  readonly parse: (settings: string | undefined) => Promise<Config>;
  /** Read again when this file changes. */
  readonly file: string | undefined;
  /** How the log is written. Default `json`. */
  readonly logFormat?: LogFormat;
}

/** A source, and what was started by it. */
export interface StartedSource extends ConfigSource {
  readonly started: Config;
  /** What was known of the file before it was read. */
  readonly since: Promise<string>;
}

/** Serves by a configuration, and can take over another one. */
interface Reloadable {
  /** Takes it over as a whole. Rejects, and changes nothing, when it cannot. */
  reload(config: Config): Promise<void>;
  /** These changed settings take effect only after a restart; or why the file was refused. */
  pending(settings: readonly string[], refused?: string): void;
  /** Drops what is remembered of people and their rights. */
  forget(): void;
}

const lookEveryMs = 10_000;

/** Reloads at SIGHUP, which also forgets remembered answers, and at a change. Returns its end. */
export function reloaded(
  server: Reloadable,
  { file, since, ...source }: StartedSource,
  log: Log,
  { onHangup }: Pick<Io, 'onHangup'>,
): () => void {
  const reload = reloading({
    ...source,
    apply: (config) => server.reload(config),
    pending: (settings, refused) => server.pending(settings, refused),
    log,
  });
  const files = file === undefined ? [] : [file];
  const watch = watchFiles(files, { everyMs: lookEveryMs, since, changed: reload });
  const unheard = onHangup(() => {
    server.forget();
    void reload();
  });
  return () => {
    unheard();
    watch.close();
    reload.close();
  };
}
