import type { LastingEvent, TraceHeaders } from '../base/flow/lasting.ts';
import type { Digest } from '../oci/digest.ts';
import type { MemberAnswer } from './protocol/answer.ts';
import type { MemberAsk } from './protocol/ask.ts';

/** What the fleet reports while it works. Members are few, but no label of a metric. */
export interface FleetEvents {
  /** A member is asked, until the head of its answer. */
  memberAsking?: LastingEvent<{ readonly member: string; readonly ask: MemberAsk }>;
  /** A member's question is answered. `trace`: the headers of the trace that it was asked in. */
  memberAnswering?: LastingEvent<{ readonly ask: MemberAsk; readonly trace: TraceHeaders }>;
  /** A member answered a question of ours. */
  memberAsked(event: { readonly kind: MemberAsk['kind']; readonly word: MemberAnswer['word'] }): void;
  /** A member gave no answer of this protocol, or broke one off. */
  memberFailed(event: { readonly member: string; readonly error: unknown }): void;
  /** This replica goes on with a download that followed a member that died, from that byte. */
  tookOver(event: {
    readonly upstream: string;
    readonly digest: Digest;
    readonly member: string;
    readonly position: number;
  }): void;
  /** A question of a member was answered. */
  memberAnswered(event: { readonly kind: MemberAsk['kind']; readonly word: MemberAnswer['word'] }): void;
  /** Someone asked the port between members without a proof of the key. */
  strangerRefused(event: { readonly address: string }): void;
  /** Bytes of bodies, between members. */
  memberBytes(event: { readonly direction: 'received' | 'sent'; readonly bytes: number }): void;
  /** Bytes of bodies, between workers of this process. */
  workerBytes(event: { readonly direction: 'received' | 'sent'; readonly bytes: number }): void;
  /** Who is live changed. */
  membersChanged(event: { readonly live: readonly string[] }): void;
}
