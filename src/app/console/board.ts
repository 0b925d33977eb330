import manifest from '../../../package.json' with { type: 'json' };
import { shared } from '../../base/flow/single-flight.ts';
import { defined } from '../../base/text/defined.ts';
import { revisionOf } from '../../base/text/revision.ts';
import { type Clock, systemClock } from '../../base/time/wait.ts';
import type { Fills } from '../../cache/fills/fills.ts';
import type { Environment } from '../../config/load.ts';
import type {
  ConsoleSections,
  FailureFigures,
  FillFigures,
  MirrorFigures,
  ServiceFigures,
} from '../../console/wire/messages.ts';
import type { ConsoleFeed } from '../../proxy/console/stream.ts';
import type { FailedRequest, RecentFailures } from '../../proxy/http/recent-failures.ts';
import type { Caller } from '../../proxy/operators/operator-access.ts';
import type { UpstreamStates } from '../explain/states.ts';
import type { ServiceGeneration } from '../generations/generation.ts';
import type { AllMembers } from '../replicas/members.ts';
import { storageFigures, trafficFigures, upstreamFigures } from './figures.ts';
import { FleetShares } from './fleet.ts';
import type { TrafficHistory } from './history.ts';

export interface BoardParts {
  readonly env: Environment;
  readonly cache: { readonly fills: Pick<Fills, 'running'>; readonly instance: string };
  readonly current: () => Pick<ServiceGeneration, 'config' | 'hosts' | 'mirror'>;
  readonly status: () => { readonly json: object };
  readonly states: Pick<UpstreamStates, 'of'>;
  readonly failures: Pick<RecentFailures, 'latest'>;
  readonly fleet: Pick<AllMembers, 'view'> | undefined;
  readonly history: Pick<TrafficHistory, 'points' | 'before' | 'page'>;
  readonly clock?: Clock;
}

/** Conditions in the form of `/statusz`. */
type BoardSections = Omit<Partial<ConsoleSections>, 'conditions'> & { readonly conditions: object };

/** What is told is worked out once in that time for all who look, milliseconds. */
const keepMs = 900;
const mostFills = 40;
const mostFailures = 200;

/** The sections of the page, each for those who may see it. */
export class ConsoleBoard implements ConsoleFeed {
  readonly #parts: BoardParts;
  readonly #clock: Clock;
  readonly #startedAt = Date.now();
  readonly #shares = new FleetShares();
  readonly #build: () => Promise<BoardSections>;
  #built: { readonly at: number; readonly sections: BoardSections } | undefined;

  constructor(parts: BoardParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#build = shared(() => this.#made());
  }

  /** A user of a cluster sees what failed of its own, and nothing of others. */
  async sections({ isOperator, subject }: Caller): Promise<Readonly<Record<string, unknown>>> {
    if (isOperator) return { ...(await this.#fresh()) };
    const isOwn = ({ subject: name, cluster }: FailedRequest): boolean =>
      cluster !== undefined && cluster === subject?.cluster && name === subject.name;
    const own = this.#parts.failures.latest(Number.POSITIVE_INFINITY).filter(isOwn);
    return { failures: own.slice(-mostFailures).map(({ cause: _, ...rest }) => failureFigures(rest)) };
  }

  async #fresh(): Promise<BoardSections> {
    const now = this.#clock.now();
    if (this.#built === undefined || now - this.#built.at >= keepMs)
      this.#built = { at: now, sections: await this.#build() };
    return this.#built.sections;
  }

  async #made(): Promise<BoardSections> {
    const { cache, current, status, states, failures, fleet, history } = this.#parts;
    const { config, mirror } = current();
    const page = await history.page();
    const view = fleet?.view();
    return {
      service: this.#service(),
      conditions: status().json,
      traffic: trafficFigures(page),
      history: history.points,
      upstreams: upstreamFigures(config, { page, before: history.before }, states),
      storage: storageFigures(page),
      fills: fillFigures(cache.fills),
      failures: failures.latest(mostFailures).map(failureFigures),
      ...defined({
        mirror: mirror && mirrorFigures(mirror.state()),
        fleet: view && this.#shares.figures(view, page, cache.fills),
      }),
    };
  }

  #service(): ServiceFigures {
    const { env, cache, current, fleet } = this.#parts;
    const { config, mirror } = current();
    return {
      version: manifest.version,
      revision: revisionOf(env),
      node: process.versions.node,
      instance: cache.instance,
      startedAt: this.#startedAt,
      hasMirror: mirror !== undefined,
      hasFleet: fleet?.view() !== undefined,
      ...defined({ pricePerGB: config.admin.pricePerGB }),
    };
  }
}

function fillFigures(fills: Pick<Fills, 'running'>): ConsoleSections['fills'] {
  const all = fills.running();
  const shown = all.slice(0, mostFills).map(
    ({ upstream, repository, digest, receivedBytes, size, runsMs, requests, followed }): FillFigures => ({
      ...{ upstream, repository, digest, receivedBytes, requests },
      seconds: Math.round(runsMs / 1000),
      ...defined({ size, followed }),
    }),
  );
  return { shown, more: all.length - shown.length };
}

function failureFigures({
  id,
  at,
  method,
  path,
  host,
  status,
  message,
  ...rest
}: FailedRequest): FailureFigures {
  const { error, upstream, subject, cause } = rest;
  return {
    ...{ id, at, method, path, host, status, message },
    ...defined({ error, upstream, subject, cause }),
  };
}

function mirrorFigures({
  lease,
  tasks,
}: ReturnType<NonNullable<ServiceGeneration['mirror']>['state']>): MirrorFigures {
  const { waiting = 0, running = 0, parked = 0, oldestAt } = tasks ?? {};
  return { lease, waiting, running, parked, ...defined({ oldestAt }) };
}
