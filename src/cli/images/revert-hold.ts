import { defined } from '../../base/text/defined.ts';
import { field, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import type { RevertHold } from '../../mirror/revert/place.ts';
import { RegistryError } from '../../oci/errors.ts';
import { whyNot } from '../mirror/hold.ts';
import type { AdminAnswer, AdminListener } from '../serve/admin-listener.ts';

interface HoldRequest {
  readonly destination: string;
  readonly until?: string;
  /** By which the hold is known again. */
  readonly why: string;
}

/** The hold on a destination as it is now; undefined when there is none. */
export type HeldNow = (Partial<Omit<HoldRequest, 'destination'>> & { readonly since?: string }) | undefined;

/** What a server holds of the destination. Throws `RegistryError` when it does not say. */
export async function holdNow(
  server: AdminListener,
  destination: string,
  signal?: AbortSignal,
): Promise<HeldNow> {
  const answer = await server.get('/api/v1/mirrors/holds', signal);
  if (answer.status !== 200) throw unanswered(server, answer);
  const holds = listOf(field(jsonOrNone(answer.text), 'holds'));
  const found = holds.find((each) => field(each, 'destination') === destination);
  if (found === undefined) return undefined;
  const [since, until, why] = ['since', 'until', 'why'].map((name) => textOf(field(found, name)));
  return defined({ since, until, why });
}

/** A hold in the place of the one that there is, which comes back when this one is undone. */
export function revertHold(server: AdminListener, order: HoldRequest, before: HeldNow): RevertHold {
  const { destination } = order;
  /** By which ours is told from another in the same words; unknown where the answer was lost. */
  let since: string | undefined;
  const asked = async (what: 'hold' | 'release', body: object, signal: AbortSignal): Promise<AdminAnswer> => {
    const answer = await server.post(`/api/v1/mirrors/${what}`, body, signal);
    const isGone = what === 'release' && answer.status === 404;
    if (answer.status !== 200 && !isGone) throw unanswered(server, answer);
    return answer;
  };
  return {
    name: server.host,
    async set(signal) {
      const { text } = await asked('hold', order, signal);
      since = textOf(field(jsonOrNone(text), 'since'));
    },
    async restore(signal) {
      const now = await holdNow(server, destination, signal);
      if (now?.why !== order.why || (since !== undefined && now.since !== since)) return;
      if (before === undefined || hasEnded(before))
        return void (await asked('release', { destination }, signal));
      const { since: _since, ...held } = before;
      await asked('hold', { destination, ...held }, signal);
    },
  };
}

function hasEnded({ until }: NonNullable<HeldNow>): boolean {
  return until !== undefined && Date.parse(until) <= Date.now();
}

function unanswered({ host }: AdminListener, answer: AdminAnswer): RegistryError {
  const message = `the holds of ${host}: it ${whyNot(answer)}; --no-hold reverts without one`;
  return new RegistryError('UNAVAILABLE', message, { retry: 'never' });
}
