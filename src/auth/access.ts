// Room `auth`: the nouns of access: subject, scope, question, decision; failed logins. In: nothing.
// Out: types that all of auth and proxy share. Imports: base, oci.

import type { MaybePromise } from '../base/flow/maybe-promise.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference, Repository, Tag } from '../oci/reference.ts';

/** What a client shows to say who it is; lives as long as its request and is never logged. */
export type Credential =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string };

/** A known subject, with everything that a review of rights may need. */
export interface Subject {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  /** The cluster that authenticated the subject and decides its rights; absent for a robot. */
  readonly cluster?: string;
}

/** A repository of an upstream, as that upstream names it. */
export interface Place {
  /** The configured name of the upstream. */
  readonly upstream: string;
  readonly repository: Repository;
}

/** Something that a subject wants to do. */
export interface Access extends Place {
  /** The manifest or, as a digest, the blob; absent for listings. */
  readonly reference?: Reference;
  readonly action: 'pull';
}

/** The verdict on an access and its reason, for the user and the audit log. No credentials. */
export interface Decision {
  readonly allowed: boolean;
  /** The rule that decided, for the log. */
  readonly rule?: string;
  /** Why not, for the client: one clause without secrets. */
  readonly reason?: string;
  /** The question to the cluster in words (questionText); absent where none was needed. */
  readonly question?: string;
  readonly cluster?: string;
  readonly isRemembered?: boolean;
  /** Of a listing: some of its tags may be shown, and `visible` says which. */
  readonly isPartial?: boolean;
}

/** Knows who is behind a credential. */
export interface Authenticator {
  /**
   * The subject, or undefined for a wrong credential; throws `UNAVAILABLE` if unknown, and
   * `TOOMANYREQUESTS` if too many wait. The client's address decides about turns only.
   */
  authenticate(credential: Credential, address?: string): MaybePromise<Subject | undefined>;
}

/** Knows who may do what. */
export interface Authorizer {
  /** Throws `UNAVAILABLE` when it cannot be told: neither a yes nor a no. */
  authorize(subject: Subject, access: Access): MaybePromise<Decision>;
  /** The tags that the subject may pull, in order. Throws `UNAVAILABLE` as `authorize` does. */
  visible(subject: Subject, place: Place, tags: readonly Tag[]): Promise<readonly Tag[]>;
}

/** Tags that may lead to a digest although no record of it says so. */
interface PossibleTags {
  readonly tags: readonly Tag[];
  /** False when there may be others, so that there is no "no". */
  readonly isAll: boolean;
}

/** Known tags of content. The right to a tag covers everything that it references. */
export interface ContentTags {
  /**
   * Tags that may reference the digest, the latest first; none if unknown. `afresh` also reads
   * what other replicas just learned: use it before a refusal. Throws `UNAVAILABLE` if unknown.
   */
  tagsContaining(
    place: Place,
    digest: Digest,
    options?: { readonly afresh?: boolean },
  ): MaybePromise<readonly Tag[]>;
  /**
   * Tags that may lead to the digest although no record of it says so, and whether that is all of
   * them: ask so last, before a refusal. Never rejects.
   */
  unrecordedTags(place: Place, digest: Digest): Promise<PossibleTags>;
  /** Whether the tag references the digest, or did within `formerMs`. May throw `UNAVAILABLE`. */
  tagContains(place: Place, tag: Tag, digest: Digest): MaybePromise<boolean>;
}

/** What content itself, and its registry, say of what an image stream names: its proof. */
export interface ContentProofs {
  /** Whether the manifest is the digest or references it. May throw `UNAVAILABLE`. */
  manifestContains(place: Place, manifest: Digest, digest: Digest): MaybePromise<boolean>;
  /**
   * Whether the tag means the digest, or an index that lists it, now or within `formerMs`. Asks the
   * upstream itself by one HEAD where records do not say so, once for all who wait; a no is
   * remembered for 30 s. `isBrief`: only what is in memory counts. May throw `UNAVAILABLE`.
   */
  tagLeadsNow(
    place: Place,
    tag: Tag,
    digest: Digest,
    options?: { readonly isBrief?: boolean },
  ): MaybePromise<boolean>;
}

/** What a search for the right to a digest reports. */
export interface SearchEvents {
  /** A search ended at its limit of questions to the cluster, without a yes: 503. */
  searchLimited(event: { readonly cluster: string }): void;
}
