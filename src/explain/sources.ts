import type { Access, Decision, Subject } from '../auth/access.ts';
import type { Clock } from '../base/time/wait.ts';
import type { TagPointer } from '../cache/records/freshness.ts';
import type { ImageStreamTag } from '../image-streams/image-stream-tag.ts';
import type { MirrorHold } from '../mirror/queue/holds.ts';
import type { QueuedTask } from '../mirror/queue/task.ts';
import type { Digest } from '../oci/digest.ts';
import type { ErrorCode } from '../oci/errors.ts';
import type { Reference, Repository, Tag } from '../oci/reference.ts';
import type { RepositoryScope } from '../store/keys.ts';
import type { AskedImage } from './input.ts';
import type { Finding } from './step.ts';

/** Where a request for the image goes. */
export interface RoutedImage {
  readonly host: string;
  readonly auth: 'none' | 'robots' | 'cluster';
  /** The list of rules of a host that asks a cluster. */
  readonly access?: string;
  readonly upstream: string;
  readonly repository: Repository;
}

/** What a registry says of an image now, or said within the last seconds. */
export type ProbeAnswer = ProbeOutcome & {
  /** When it was asked, milliseconds since the epoch. */
  readonly at: number;
};

type ProbeOutcome =
  | { readonly kind: 'found'; readonly digest: Digest; readonly mediaType: string }
  | { readonly kind: 'absent'; readonly reason?: string }
  | ProbeFailure
  /** It was asked so often that it is not asked now. */
  | { readonly kind: 'limited'; readonly retryAfterSeconds: number }
  /** It is no upstream of the configuration: nothing is asked there. */
  | { readonly kind: 'foreign' };

/** Neither yes nor no. */
export interface ProbeFailure {
  readonly kind: 'failed';
  readonly code: ErrorCode;
  readonly message: string;
  readonly status?: number;
  readonly said?: string;
  readonly cause?: string;
}

/** Asks configured upstreams, and each of them within a limit. Never rejects. */
export interface Probes {
  manifest(place: RepositoryScope, reference: Reference): Promise<ProbeAnswer>;
  blob(place: RepositoryScope, digest: Digest): Promise<ProbeAnswer>;
  /** When the image was built, ms since the epoch; undefined where that is not known. */
  builtAt(place: RepositoryScope, digest: Digest): Promise<number | undefined>;
}

/** What is known of an upstream without asking it. */
export interface UpstreamFacts {
  readonly url: string;
  readonly login: 'anonymous' | 'configured';
  readonly breaker?: 'closed' | 'open' | 'half-open';
  /** Since when the breaker is as it is, milliseconds since the epoch. */
  readonly breakerAt?: number;
  /** What the registry said of pulls that are left to us, in its own header fields. */
  readonly limits?: { readonly text: string; readonly at: number };
}

/** Who makes a tag by a checkout of openshift/release. */
export interface Promotion {
  /** `org/repo@branch` */
  readonly config: string;
  readonly file: string;
  /** The Prow job that promotes. */
  readonly job: string;
}

/** What the mirror's configuration file says of an image. */
export interface ConfigEntry {
  readonly section: string;
  readonly file: string;
  readonly line?: number;
  readonly source?: string;
  readonly reason?: string;
}

/** Where one part of the steps looks. What is absent is not configured, or cannot be asked. */
export interface ExplainSources {
  /** Throws `NAME_UNKNOWN` in words for people. */
  readonly route: (image: AskedImage, host: string | undefined) => RoutedImage;
  readonly rights?: RightsSource;
  readonly tags: {
    readonly where: string;
    /** Undefined where there is no record. Throws where that cannot be told. */
    find(place: RepositoryScope, tag: Tag): Promise<TagPointer | undefined>;
    readonly policy: (upstream: string) => { readonly staleMs: number; readonly gone: 'hide' | 'keep' };
    /** Whether clients are answered by the record alone: it is fresh, or the tag is immutable. */
    readonly isBelieved: (upstream: string, tag: Tag, pointer: TagPointer) => boolean;
  };
  readonly content: ContentSource;
  readonly probes: Probes;
  /** Those for viewers who are subjects: what they ask takes nothing from operators. */
  readonly probesOfSubjects: Probes;
  readonly upstream: (name: string) => UpstreamFacts | undefined;
  readonly misses?: (place: RepositoryScope, reference: Reference) => readonly MissSourcePlace[];
  readonly mirror?: MirrorSource;
  readonly streams?: StreamSource;
  readonly maker?: { readonly where: string; find(tag: ImageStreamTag): Promise<readonly Promotion[]> };
  /** What the configuration of a node makes of the image. */
  readonly client?: (image: AskedImage) => Promise<Finding>;
  readonly now: () => number;
  /** Ends what takes too long. Default: the system's. */
  readonly clock?: Clock;
}

/** Decides as the host does. */
export interface RightsSource {
  decide(
    host: string,
    subject: Subject,
    access: Access,
  ): Promise<{ readonly decision: Decision; readonly because?: string }>;
  /** Whether the subject may read the image stream on its cluster. */
  mayReadStream(subject: Subject, tag: ImageStreamTag): Promise<boolean>;
}

/** The blobs of a store; also manifests are blobs. */
export interface ContentSource {
  readonly where: string;
  /** False where the content cannot be looked at from here. */
  readonly isReadable: boolean;
  /** What went wrong with the store within the last minute. */
  readonly trouble?: () => { readonly text: string; readonly at: number } | undefined;
  /** A small document, unverified; undefined where it is not here. */
  read(digest: Digest): Promise<Uint8Array | undefined>;
  /** Its size in bytes; undefined where it is not here. */
  stat(digest: Digest): Promise<number | undefined>;
  /** What the records say of the digest in that repository. */
  member(
    place: RepositoryScope,
    digest: Digest,
  ): Promise<{ readonly tags: readonly Tag[]; readonly seenAt: number } | undefined>;
}

export type MissSourcePlace =
  | {
      readonly kind: 'image';
      readonly registry: string;
      readonly repository: Repository;
      readonly reference: Reference;
      readonly text: string;
    }
  | { readonly kind: 'history' };

export interface MirrorSource {
  /** The queue's task, by its records. Throws where that cannot be told. */
  task(destination: string): Promise<QueuedTask | undefined>;
  hold(destination: string): Promise<MirrorHold | undefined>;
  /** Entries of the configuration file for the image. */
  entries(streamTag: ImageStreamTag | undefined, destination: string): Promise<readonly ConfigEntry[]>;
  /** The pull spec of the stream's tag at the cluster's registry. */
  streamSource(streamTag: ImageStreamTag): string;
  readonly where: string;
}

interface StreamSource {
  readonly where: string;
  /** The ImageStream as the cluster has it; undefined where there is none. Throws `ApiFailure`. */
  read(namespace: string, name: string): Promise<unknown>;
}
