import { type Clock, systemClock } from '../base/time/wait.ts';
import type { Members } from './members/members.ts';
import type { MemberClient } from './protocol/member-client.ts';
import type { MemberNews } from './protocol/news.ts';

interface NewsOptions {
  readonly members: Members;
  readonly client: Pick<MemberClient, 'tell'>;
  readonly clock?: Clock;
}

/** News that come together are told together, as many as a header holds. */
const joinedMs = 20;
const mostBytes = 12 * 1024;
/** What is not told in time is learned later, by asking: the oldest news give way. */
const mostWaiting = 2_000;

/** Tells all other members that answer. Nothing waits for it, and nothing is told twice. */
export class News {
  readonly #options: NewsOptions;
  readonly #clock: Clock;
  #waiting: MemberNews[] = [];
  #isTelling = false;
  #telling: Promise<void> = Promise.resolve();

  constructor(options: NewsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  tell(news: MemberNews): void {
    if (this.#options.members.live.length < 2) return;
    this.#waiting.push(news);
    if (this.#waiting.length > mostWaiting) this.#waiting.shift();
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#clock.setTimeout(() => void this.flushed(), joinedMs).unref();
  }

  /** Tells at once what waits; resolves once all were told, or gave no answer for 2 s. */
  flushed(): Promise<void> {
    this.#telling = this.#telling.then(() => this.#flush());
    return this.#telling;
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) await this.now(this.#next());
    this.#isTelling = false;
  }

  /** Resolves once all were told, or gave no answer for 2 s. */
  async now(news: readonly MemberNews[]): Promise<void> {
    const { members, client } = this.#options;
    const others = members.live.filter((member) => member !== members.self);
    await Promise.all(others.map((member) => client.tell(member, news)));
  }

  /** At least one, and the next ones that fit beside it. */
  #next(): readonly MemberNews[] {
    let bytes = 0;
    const count = this.#waiting.findIndex((news, index) => {
      bytes += JSON.stringify(news).length;
      return index > 0 && bytes > mostBytes;
    });
    return this.#waiting.splice(0, count < 0 ? this.#waiting.length : count);
  }
}
