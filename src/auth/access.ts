import type { Reference, Repository } from '../oci/reference.ts';

/** What a client shows to say who it is; lives as long as its request and is never logged. */
export type Credential =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string };

/** Somebody we know, with everything that a review of rights may ask about them. */
export interface Subject {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Something that a subject wants to do. */
export interface Access {
  /** The configured name of the upstream. */
  readonly upstream: string;
  /** As the upstream names it. */
  readonly repository: Repository;
  /** The manifest or, as a digest, the blob; absent for listings. */
  readonly reference?: Reference;
  readonly action: 'pull';
}

/** The verdict on an access, with what decided it. */
export interface Decision {
  readonly allowed: boolean;
  /** The rule that decided, for the log. */
  readonly rule?: string;
  /** Why not, for the client: one clause without secrets. */
  readonly reason?: string;
}

/** Knows who is behind a credential. */
export interface Authenticator {
  /** The subject, or undefined for a credential that is wrong; throws `UNAVAILABLE` when that cannot be told. */
  authenticate(credential: Credential): Promise<Subject | undefined>;
}

/** Knows who may do what. */
export interface Authorizer {
  /** Throws `UNAVAILABLE` when it cannot be told: neither a yes nor a no. */
  authorize(subject: Subject, access: Access): Promise<Decision>;
}
