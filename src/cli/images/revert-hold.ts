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
export type HeldNow = Partial<Omit<HoldRequest, 'destination'>> | undefined;

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
  return defined({ until: textOf(field(found, 'until')), why: textOf(field(found, 'why')) });
}

/** A hold in the place of the one that there is, which comes back when this one is undone. */
export function revertHold(server: AdminListener, order: HoldRequest, before: HeldNow): RevertHold {
  const { destination } = order;
  const asked = async (what: 'hold' | 'release', body: object, signal: AbortSignal): Promise<void> => {
    const answer = await server.post(`/api/v1/mirrors/${what}`, body, signal);
    if (answer.status !== 200) throw unanswered(server, answer);
  };
  return {
    name: server.host,
    set: (signal) => asked('hold', order, signal),
    async restore(signal) {
      const now = await holdNow(server, destination, signal);
      if (now?.why !== order.why) return;
      if (before === undefined) await asked('release', { destination }, signal);
      else await asked('hold', { destination, ...before }, signal);
    },
  };
}

function unanswered({ host }: AdminListener, answer: AdminAnswer): RegistryError {
  const message = `the holds of ${host}: it ${whyNot(answer)}; --no-hold reverts without one`;
  return new RegistryError('UNAVAILABLE', message, { retry: 'never' });
}
