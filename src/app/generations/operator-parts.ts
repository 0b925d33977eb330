import type { Operators } from '../../auth/clusters/operators.ts';
import { defined } from '../../base/text/defined.ts';
import type { ExplainApi } from '../../proxy/operators/explain.ts';
import type { MirrorLeader } from '../../proxy/operators/leader.ts';
import type { MirrorApiOptions } from '../../proxy/operators/mirror-api.ts';
import type { MirrorHoldsOptions } from '../../proxy/operators/mirror-holds.ts';
import type { Mirror } from '../mirror/service.ts';
import type { AllMembers } from '../replicas/members.ts';
import type { ServiceGeneration } from './generation.ts';

interface OperatorParts {
  readonly explain: ExplainApi;
  readonly trustedProxies: () => readonly string[];
  readonly operators?: Operators;
  readonly mirror: MirrorApiOptions & MirrorHoldsOptions & { readonly leader?: MirrorLeader };
}

/**
 * What operators use, as it is in force at each request. Whether anyone may come in from elsewhere
 * is decided at the start.
 */
export function operatorParts(
  first: ServiceGeneration,
  current: () => ServiceGeneration,
  fleet: AllMembers | undefined,
): OperatorParts {
  const mirror = (): Mirror => {
    const { mirror: found } = current();
    if (found === undefined) throw new Error('there is no mirror');
    return found;
  };
  const operators: Operators = {
    judge: async (token, question) => current().operators?.judge(token, question) ?? { kind: 'unknown' },
  };
  return {
    explain: {
      explain: (query, viewer) => current().explain.explain(query, viewer),
      impersonated: (caller, wanted) => current().explain.impersonated(caller, wanted),
      subjectOf: (token, address) => current().explain.subjectOf?.(token, address),
    },
    trustedProxies: () => current().config.trustedProxies,
    mirror: {
      isThere: () => current().mirror !== undefined,
      desk: delegatingDesk(() => mirror().desk),
      holds: delegatingHolds(() => mirror().holds),
      serving: (path: string) => mirror().serving(path),
      ...(fleet?.instance !== undefined && { leader: leaderOf(() => mirror().lead(), fleet) }),
    },
    ...defined({ operators: first.operators && operators }),
  };
}

/** Replicas that are no fleet do not know where the others are: each answers for itself. */
function leaderOf(lead: Mirror['lead'], fleet: Pick<AllMembers, 'forward'>): MirrorLeader {
  return {
    isHere: () => lead().isHere,
    async forward(request) {
      const { member } = lead();
      return member === undefined ? undefined : fleet.forward(member, request);
    },
  };
}

function delegatingDesk(desk: () => Mirror['desk']): Mirror['desk'] {
  return {
    tasks: (filter) => desk().tasks(filter),
    order: (pair) => desk().order(pair),
    retry: (filter) => desk().retry(filter),
    drop: (destination, asker) => desk().drop(destination, asker),
  };
}

function delegatingHolds(holds: () => Mirror['holds']): Mirror['holds'] {
  return {
    list: () => holds().list(),
    hold: (order, asker) => holds().hold(order, asker),
    release: (destination, asker) => holds().release(destination, asker),
  };
}
