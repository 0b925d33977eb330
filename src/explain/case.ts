import type { Decision, Subject } from '../auth/access.ts';
import type { TagPointer } from '../cache/records/freshness.ts';
import type { ImageStreamTag } from '../image-streams/image-stream-tag.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference, Repository, Tag } from '../oci/reference.ts';
import type { AskedImage } from './input.ts';
import type { ExplainSources, ProbeAnswer, ProbeFailure, RoutedImage } from './sources.ts';

/** What is to be explained, to whom, and where to look. */
export interface Case {
  readonly sources: ExplainSources;
  readonly image: AskedImage;
  readonly streamTag?: ImageStreamTag;
  /** A host of ours, as the client names it. Default: the one that fits. */
  readonly host?: string;
  /** Who pulls. Default: not said. */
  readonly subject?: Subject;
  /** What was decided when the request came that is explained. */
  readonly decidedThen?: Pick<Decision, 'allowed' | 'rule' | 'question' | 'reason' | 'cluster'> & {
    readonly at: number;
    readonly subject?: string;
  };
  /** Why the login of the request was not accepted. */
  readonly loginRefused?: string;
  /** What the upstream did to the request that is explained. */
  readonly upstreamThen?: Omit<ProbeFailure, 'kind'> & { readonly at: number };
  /** Operators see everything; a subject sees what it may pull. */
  readonly viewer: 'operator' | 'subject';
}

/** A case whose upstream is known. */
export interface RoutedCase extends Case {
  readonly routed: RoutedImage;
  readonly place: { readonly upstream: string; readonly repository: Repository };
  readonly reference: Reference;
}

/** What the steps about content share, so that each place is asked once. */
export interface CaseFacts {
  /** What the records say of the tag; absent for a digest. */
  readonly pointer?: TagPointer;
  /** Whether clients are answered by that alone, whatever the upstream has. */
  readonly isBelieved?: boolean;
  /** Why the records could not be read. */
  readonly unreadable?: string;
  /** The upstream's own answer. */
  readonly answer: ProbeAnswer;
  /** The first source that has what the upstream lacks. */
  readonly lender?: { readonly name: string; readonly digest: Digest };
  /** What a pull gets. */
  readonly digest?: Digest;
}

export interface SeenCase extends RoutedCase {
  readonly seen: CaseFacts;
}

/** `quay.io/openshift/ci:ocp_4.5_base` */
export function destinationText(
  { place, reference }: RoutedCase,
  tag: Tag | undefined = reference.tag,
): string {
  return `${place.upstream}/${place.repository}${tag === undefined ? `@${reference.digest}` : `:${tag}`}`;
}
