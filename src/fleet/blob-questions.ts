import { anySignal, type Clock, hasSlept, systemClock, withFairTimeout } from '../base/time/wait.ts';
import type { RegistryError } from '../oci/errors.ts';
import type { BlobOptions } from '../oci/registry-reader.ts';
import type { FleetEvents } from './events.ts';
import type { Members } from './members/members.ts';
import { ranked } from './members/ranking.ts';
import { mayBeOwn, refusalOf } from './protocol/answer.ts';
import type { MemberAsk } from './protocol/ask.ts';
import type { MemberClient, MemberReply } from './protocol/member-client.ts';
import { MemberFailed } from './protocol/proven-get.ts';

export type OwnedBlobAsk = Extract<MemberAsk, { kind: 'blob' }>;

/** Bytes that come from a member. */
export interface MemberBytes {
  readonly kind: 'member';
  readonly member: string;
  /** The process that was asked, where it was known. */
  readonly process: string | undefined;
  readonly size: number | undefined;
  readonly reply: MemberReply;
}

/** What a member said to a question, sorted by what the asker does next. */
type MemberOutcome =
  | MemberBytes
  | { readonly kind: 'absent' }
  | { readonly kind: 'go-on' }
  | { readonly kind: 'seeks'; readonly repository?: string }
  | { readonly kind: 'refused'; readonly refusal: RegistryError; readonly mayBeOwn: boolean }
  | {
      readonly kind: 'follows';
      readonly member: string;
      readonly hasBytes: boolean;
      readonly repository?: string;
    };

export interface BlobQuestionsOptions {
  readonly members: Members;
  readonly client: MemberClient;
  readonly events?: Partial<FleetEvents>;
  readonly clock?: Clock;
}

/** Within this a member says what it has, milliseconds, unless it waits for the upstream. */
const atHandMs = 2_000;

/** How often, and how far apart, members that followed a dead owner are asked again: for 4 s. */
const holderTries = 40;
const holderPauseMs = 100;

type BlobKey = Pick<OwnedBlobAsk, 'upstream' | 'digest'> & { readonly repository: string };

/** Who asks around for a blob. */
interface Seeker {
  readonly ask: OwnedBlobAsk;
  /** Whom it asked. */
  readonly others: readonly string[];
  /** Whether it has bytes of the blob, from a member that is gone. */
  readonly hasBytes: boolean;
}

const goOn: MemberOutcome = { kind: 'go-on' };

/** Asks members for the bytes of a blob. A member that fails is left alone. */
export class BlobQuestions {
  readonly #options: BlobQuestionsOptions;
  readonly #clock: Clock;

  constructor(options: BlobQuestionsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Throws the signal's reason alone. */
  async said(member: string, ask: OwnedBlobAsk, options: BlobOptions): Promise<MemberOutcome> {
    const { members, client, events } = this.#options;
    const process = members.processOf(member);
    try {
      const reply = await client.ask(member, ask, options.signal);
      const { answer } = reply;
      events?.memberAsked?.({ kind: 'blob', word: answer.word });
      if (answer.word === 'found') return { kind: 'member', member, process, size: answer.size, reply };
      if (answer.word === 'refused')
        return { kind: 'refused', refusal: refusalOf(answer, member), mayBeOwn: mayBeOwn(answer) };
      if (answer.word === 'follows') return { ...answer, kind: 'follows' };
      if (answer.word === 'seeking') return { ...answer, kind: 'seeks' };
      return answer.word === 'absent' ? { kind: 'absent' } : goOn;
    } catch (error) {
      if (!(error instanceof MemberFailed)) throw error;
      events?.memberFailed?.({ member, error });
      if (error.how === 'dead') members.failed(member, process);
      return goOn;
    }
  }

  /** What the member has at hand. Never rejects, but for the signal's reason. */
  async atHand(member: string, ask: OwnedBlobAsk, options: BlobOptions): Promise<MemberOutcome> {
    const { members, client } = this.#options;
    if (members.isHung(member)) return goOn;
    const process = members.processOf(member);
    const control = new AbortController();
    const signal = anySignal(options.signal, control.signal);
    const said = this.said(member, { ...ask, onlyIfCached: true }, { ...options, signal });
    const hung = (): MemberOutcome => {
      control.abort(new Error('the member did not say in time what it has'));
      members.hung(member, process);
      return goOn;
    };
    const late = async (): Promise<MemberOutcome> => {
      const isAsking = client.isAnswering(member) && (await client.liveness(member, keyOf(ask))) === 'asking';
      return isAsking ? said : hung();
    };
    const outcome = await withFairTimeout(said, atHandMs, late, this.#clock).catch(() => goOn);
    options.signal?.throwIfAborted();
    return outcome;
  }

  /**
   * From a member that has it, or downloads it from the upstream itself; undefined where this one
   * is to ask the upstream. Waits for members that are to ask it first, at most 4 s. A member that
   * others follow, and that this one takes for gone, may be back: it is asked too.
   */
  async holder(
    ask: OwnedBlobAsk,
    options: BlobOptions,
    asked: readonly string[],
    hasBytes: boolean,
  ): Promise<MemberBytes | undefined> {
    const key = keyOf(ask);
    const others = this.#others(key).filter((member) => !asked.includes(member));
    const returned: string[] = [];
    for (let tries = 0; tries < holderTries; tries += 1) {
      const all = [...others, ...returned];
      const outcomes = await this.#saidByAll(all, ask, options);
      const [found] = outcomes.filter((outcome) => outcome.kind === 'member');
      if (found !== undefined) return found;
      const unnoticed = this.#unnoticed(outcomes, [...all, ...asked]);
      returned.push(...unnoticed);
      if (unnoticed.length > 0) continue;
      const seeker = { ask, others, hasBytes };
      if (!outcomes.some((outcome, index) => this.#goesFirst(all[index] ?? '', outcome, seeker))) break;
      await hasSlept(holderPauseMs, options.signal, this.#clock);
      options.signal?.throwIfAborted();
    }
    return undefined;
  }

  /** From any other member that has it, without a wait. */
  async anyHolder(ask: OwnedBlobAsk, options: BlobOptions): Promise<MemberBytes | undefined> {
    const outcomes = await this.#saidByAll(this.#others(keyOf(ask)), ask, options);
    return outcomes.find((outcome) => outcome.kind === 'member');
  }

  /** Others that may have the blob: those that are leaving last. */
  #others(key: string): readonly string[] {
    const { members } = this.#options;
    return [...members.ranked(key).filter((member) => member !== members.self), ...members.leaving];
  }

  /** Of all in order; of the first one that has bytes alone, as soon as it says so. */
  async #saidByAll(
    others: readonly string[],
    ask: OwnedBlobAsk,
    options: BlobOptions,
  ): Promise<readonly MemberOutcome[]> {
    const first = Promise.withResolvers<readonly MemberOutcome[]>();
    let isDecided = false;
    const asked = async (member: string): Promise<MemberOutcome> => {
      const outcome = await this.atHand(member, ask, options);
      if (outcome.kind !== 'member') return outcome;
      if (isDecided) outcome.reply.close();
      isDecided = true;
      first.resolve([outcome]);
      return goOn;
    };
    const all = Promise.all(others.map(asked));
    return Promise.race([first.promise, all.then((each) => (isDecided ? first.promise : each))]);
  }

  #unnoticed(outcomes: readonly MemberOutcome[], asked: readonly string[]): readonly string[] {
    const listed = new Set(this.#options.members.others);
    const followed = outcomes.flatMap((outcome) => (outcome.kind === 'follows' ? [outcome.member] : []));
    return [...new Set(followed)].filter((member) => listed.has(member) && !asked.includes(member));
  }

  /**
   * Whether the member is to ask the upstream in place of this one: it asks around as this one
   * does, or followed one that is gone, and may notice the death a little later. Who has bytes goes
   * before who has none; of equals the first in the ranking. All of them decide alike, so that none
   * waits for one that waits for it.
   */
  #goesFirst(member: string, outcome: MemberOutcome, { ask, others, hasBytes }: Seeker): boolean {
    const { self } = this.#options.members;
    if (outcome.kind !== 'seeks' && outcome.kind !== 'follows') return false;
    const isFirst = (): boolean => ranked([member, self], sharedKey(ask, outcome.repository))[0] === member;
    if (outcome.kind === 'seeks') return !hasBytes && isFirst();
    if (outcome.member === self || others.includes(outcome.member)) return false;
    return outcome.hasBytes === hasBytes ? isFirst() : outcome.hasBytes;
  }
}

/**
 * By which two members rank each other: one download may be of two repositories, and by two keys
 * each might wait for the other.
 */
function sharedKey(ask: OwnedBlobAsk, theirs: string = ask.repository): string {
  return keyOf({ ...ask, repository: theirs < ask.repository ? theirs : ask.repository });
}

/** Content belongs to its upstream and repository: one upstream must not answer for another. */
export function keyOf({ upstream, repository, digest }: BlobKey): string {
  return `${upstream}/${repository}@${digest}`;
}
