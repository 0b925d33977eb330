// Room `config`: settings as the service takes them. In: YAML and the environment. Out: checked
// values with defaults; faults with their lines. Imports: auth/rules, base, config/schema.

import type { Expression } from '../base/text/expression.ts';
import type { Settings } from './schema/schema.ts';
import type { RedirectMode } from './schema/store.ts';

/**
 * All settings, complete and frozen: an absent field is absent on purpose. The schema documents
 * meaning, unit and default of each field (schema.ts, and its sections).
 */
export type Config = Frozen<
  Omit<Settings, 'store' | 'spool' | 'upstreams' | 'hosts' | 'defaultUpstream'> & {
    /** Absent: the first segment of a path must name an upstream. */
    readonly defaultUpstream?: string;
    readonly store: StoreConfig;
    readonly spool: { readonly path: string; readonly maxBytes: number };
    readonly upstreams: Readonly<Record<string, UpstreamConfig>>;
    readonly hosts: Readonly<Record<string, HostConfig>>;
  }
>;

/** Where content is kept; `'s3' in store` and so on tell which. */
export type StoreConfig = ScrubConfig &
  (
    | { readonly filesystem: Required<Settings['store']>['filesystem'] }
    | { readonly memory: Required<Settings['store']>['memory'] }
    | { readonly s3: S3Config; readonly disk?: DiskConfig }
  );

interface ScrubConfig {
  /** False: never. */
  readonly scrubEveryMs: number | false;
  readonly scrubBytesPerSecond: number;
}

/** A local disk before the bucket. */
export type DiskConfig = Required<Settings['store']>['disk'];

type S3Config = Frozen<Omit<Required<Settings['store']>['s3'], 'redirect'>> & {
  readonly redirect: RedirectMode;
};

type ConfiguredUpstream = Settings['upstreams'][string];

/** One registry that we read from, with all that its own settings leave to the common ones. */
export type UpstreamConfig = Frozen<
  Omit<ConfiguredUpstream, 'url' | 'library' | 'fetchChildren' | 'tags' | 'credentials'>
> & {
  readonly url: string;
  readonly library: boolean;
  readonly fetchChildren: boolean;
  readonly tags: TagsConfig;
  readonly credentials?: CredentialFiles;
};

export type TagsConfig = Frozen<Settings['tags']>;

/** Files that say who we are to an upstream, or who may come in. */
type CredentialFiles =
  | { readonly usernameFile: string; readonly passwordFile: string }
  | { readonly authFile: string };

type RobotFileSettings =
  | { readonly usernameFile: string; readonly passwordFile: string }
  | { readonly htpasswdFile: string };

export type HostConfig = Frozen<Omit<Settings['hosts'][string], 'robots'>> & {
  /** Present when `auth` is `robots`, possibly when it is `cluster`. */
  readonly robots?: RobotFileSettings;
};

/** A cluster whose logins we accept. */
export type ClusterConfig = Frozen<Settings['clusters'][string]>;

/** What is copied between registries. */
export type MirrorSettings = Frozen<NonNullable<Settings['mirror']>>;

/** Read-only all the way down. */
type Frozen<T> = T extends Expression
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Frozen<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Frozen<T[Key]> }
      : T;

/** The disk before the bucket, if there is one. */
export function diskOf({ store }: { readonly store: StoreConfig }): DiskConfig | undefined {
  return 's3' in store ? store.disk : undefined;
}
