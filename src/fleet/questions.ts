import type { FleetEvents } from './events.ts';
import type { Members } from './members/members.ts';
import type { MemberAnswer } from './protocol/answer.ts';
import type { MemberAsk } from './protocol/ask.ts';
import type { MemberClient } from './protocol/member-client.ts';
import { MemberFailed } from './protocol/proven-get.ts';

export type FoundAnswer = Extract<MemberAnswer, { word: 'found' }>;

/** What a member says; `none`: nothing that helps, ask on. */
export type MemberSaid =
  | Extract<MemberAnswer, { word: 'absent' | 'refused' }>
  | { readonly word: 'found'; readonly answer: FoundAnswer; readonly bytes: Uint8Array }
  | { readonly word: 'none' };

interface MemberQuestionsOptions {
  readonly members: Members;
  readonly client: MemberClient;
  readonly events?: Partial<FleetEvents>;
}

/** Questions whose answers are read as a whole. A member that fails is left alone. */
export class MemberQuestions {
  readonly #options: MemberQuestionsOptions;

  constructor(options: MemberQuestionsOptions) {
    this.#options = options;
  }

  /** Throws the signal's reason alone. */
  async said(member: string, ask: MemberAsk, signal?: AbortSignal): Promise<MemberSaid> {
    const { members, client, events } = this.#options;
    const process = members.processOf(member);
    try {
      const { answer, bytes } = await client.askWhole(member, ask, signal);
      events?.memberAsked?.({ kind: ask.kind, word: answer.word });
      if (answer.word === 'found') return { word: 'found', answer, bytes };
      return answer.word === 'absent' || answer.word === 'refused' ? answer : { word: 'none' };
    } catch (error) {
      if (!(error instanceof MemberFailed)) throw error;
      events?.memberFailed?.({ member, error });
      if (error.how === 'dead') members.failed(member, process);
      return { word: 'none' };
    }
  }

  /** What any other member has of it, without asking the upstream: the latest word. */
  async held(
    key: string,
    ask: MemberAsk,
    signal?: AbortSignal,
  ): Promise<Extract<MemberSaid, { word: 'found' }> | undefined> {
    const { members } = this.#options;
    const others = members.ranked(key).filter((member) => member !== members.self);
    const said = await Promise.all(
      others.map((member) => this.said(member, { ...ask, onlyIfCached: true }, signal)),
    );
    const found = said.filter((each) => each.word === 'found');
    const [latest] = found.sort((one, other) => (one.answer.ageMs ?? 0) - (other.answer.ageMs ?? 0));
    return latest;
  }
}
