import { join } from 'node:path';
import { closeInTurn } from '../../base/flow/close-all.ts';
import { defined } from '../../base/text/defined.ts';
import type { Clock } from '../../base/time/wait.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { Config } from '../../config/load.ts';
import { type AskedUpstream, askedOnce } from '../../fleet/asked-once.ts';
import type { Askers } from '../../fleet/elsewhere.ts';
import type { FleetEvents } from '../../fleet/events.ts';
import { createFleet, type Fleet } from '../../fleet/fleet.ts';
import { isWorker } from '../../fleet/members/worker-names.ts';
import type { ForwardedReply, ForwardedRequest } from '../../fleet/protocol/forwarded.ts';
import type { MemberNews } from '../../fleet/protocol/news.ts';
import { createSeals } from '../../fleet/protocol/seals.ts';
import type { MemberDoorOptions } from '../../proxy/members/door.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { WorkerPlace } from '../../workers/place.ts';
import { type ConfiguredFleet, configuredFleet, type FleetView } from './fleet.ts';
import { type MemberPort, openedMemberPort } from './member-port.ts';

interface MembersParts {
  readonly log: Log;
  readonly events: Partial<FleetEvents>;
  readonly clock?: Clock;
  /** Default: this process has no workers beside it. */
  readonly workers: WorkerPlace | undefined;
}

type AnswerForwarded = NonNullable<MemberDoorOptions['forwarded']>;

/** The upstreams as those who ask in place of clients see them. */
type RegistriesOf = (upstreams: readonly Upstream[], askers: Askers) => readonly CachedRegistry[];

/**
 * All who share the upstreams, on two levels. Each piece of content has an owner among the
 * replicas, and within each of them one among its workers: a worker asks the owner among the
 * workers beside it, and only that one asks the owner among the replicas.
 */
export interface AllMembers extends Pick<Fleet, 'joined' | 'leave' | 'tell' | 'follow'> {
  /** The name of this process among the replicas; undefined where it has no others. */
  readonly instance: string | undefined;
  /** See `ConfiguredFleet`. */
  forward: ConfiguredFleet['forward'];
  /** What other replicas pass on to the one that mirrors is answered so from now on. */
  answerForwarded(answers: AnswerForwarded): void;
  /** Whether all have one store. */
  readonly isStoredOnce: boolean;
  /** Whether what that member downloads is stored by it for this process too. */
  isStoredBy(member: string): boolean;
  /** The part of the limits towards upstreams that is this process's. */
  share(): number;
  /** The replicas as this one sees them; undefined without a fleet. */
  view(): FleetView | undefined;
  /** Answers members by these upstreams from now on. */
  show(asked: readonly AskedUpstream[], registriesOf: RegistriesOf): void;
  /** Tells the other workers of this process only. */
  tellWorkers(news: MemberNews): void;
  /** Begins to answer and to ask; resolves to where other replicas ask. */
  listen(): Promise<string | undefined>;
  /** Closes the ports: the last thing to go, since others may read from here till then. */
  close(): Promise<void>;
  /** Ends answers that still run, at the end of the grace time. */
  abort(): void;
}

/** Undefined where this process is alone. Rejects as `configuredFleet`. */
export async function configuredMembers(
  config: Config,
  parts: MembersParts,
): Promise<AllMembers | undefined> {
  const { workers: place, ...common } = parts;
  const replicas = await configuredFleet(config, { ...common, instance: place?.welcome.instance });
  const workers = place && workerFleet(place, common);
  if (workers === undefined && replicas === undefined) return undefined;
  const hasBucket = 's3' in config.store;
  let port: MemberPort | undefined;
  let settled = async (): Promise<unknown> => undefined;
  const beyond = (upstream: Upstream): Upstream => replicas?.joined(upstream) ?? upstream;

  // What members see, changed in place: the doors look at each question.
  const forReplicas = new Map<string, CachedRegistry>();
  const forWorkers = new Map<string, CachedRegistry>();
  const askedOf = { replicas: [] as AskedUpstream[], workers: [] as AskedUpstream[] };
  const forReplica = onceEach((one) => replicas?.owned(one) ?? one);
  const joined = onceEach((one) => (replicas === undefined ? one : askedOnce(replicas.joined(one))));
  const forWorker = onceEach((one) => workers?.fleet.owned(joined(one)) ?? one);

  let answersHere: AnswerForwarded = async () => undefined;

  /** Replicas reach any worker; the mirror works in the one on duty. */
  async function answered(request: ForwardedRequest): Promise<ForwardedReply | undefined> {
    const onDuty = place?.onDutyName ?? place?.name;
    if (workers === undefined || onDuty === undefined || onDuty === place?.name) return answersHere(request);
    return workers.fleet.forward(onDuty, request);
  }

  async function listenToWorkers(): Promise<void> {
    if (workers === undefined || place === undefined) return;
    settled = () => Promise.all([...forWorkers.values()].map((registry) => registry.settled()));
    const { seals, fleet, events } = workers;
    port = await openedMemberPort({
      ...{ listen: socketOf(place, place.name), seals, pong: fleet.pong, told: fleet.told, events },
      registries: forWorkers,
      registriesForReplicas: forReplicas,
      forwarded: (request) => answersHere(request),
      asked: askedOf.workers,
    });
    fleet.start();
  }

  return {
    instance: replicas?.instance,
    forward: async (instance, request) => replicas?.forward(instance, request),
    answerForwarded(answers) {
      answersHere = answers;
    },
    isStoredOnce: hasBucket || replicas === undefined,
    isStoredBy: (member) => hasBucket || isWorker(member),
    joined: (upstream) => workers?.fleet.joined(beyond(upstream)) ?? beyond(upstream),
    share: () => (replicas?.share() ?? 1) / (workers?.fleet.members.live.length ?? 1),
    view: () => replicas?.view(),
    // Workers of one process stop together, and serve each other until then.
    leave: async () => replicas?.leave(),
    tell(news) {
      workers?.fleet.tell(news);
      replicas?.tell(news);
    },
    tellWorkers: (news) => workers?.fleet.tell(news),
    follow(listener) {
      workers?.fleet.follow((news) => {
        // Replicas tell one worker, which tells the others.
        if (news.kind === 'leaving') replicas?.leaves(news.member);
        else if (news.kind === 'came') replicas?.look(news.member);
        else listener(news);
      });
      replicas?.follow((news) => {
        if (news.kind === 'copy') return;
        workers?.fleet.tell(news);
        listener(news);
      });
    },
    show(asked, registriesOf) {
      const [ofReplicas, ofWorkers] = [asked.map(forReplica), asked.map(forWorker)];
      exchanged(forReplicas, replicas === undefined ? [] : registriesOf(ofReplicas, 'replicas'));
      exchanged(forWorkers, workers === undefined ? [] : registriesOf(ofWorkers, 'workers'));
      const shown = [...asked, ...ofReplicas];
      askedOf.replicas.splice(0, askedOf.replicas.length, ...shown);
      const all = new Set([...shown, ...ofWorkers, ...asked.map(joined)]);
      askedOf.workers.splice(0, askedOf.workers.length, ...all);
    },
    async listen() {
      await listenToWorkers();
      const forMembers = { registries: forReplicas, asked: askedOf.replicas, forwarded: answered };
      return replicas?.listen({ ...forMembers, relay: workers?.fleet.relay });
    },
    close: () =>
      closeInTurn([
        () => replicas?.close(),
        () => workers?.fleet.close(),
        () => port?.close(),
        () => settled(),
      ]),
    abort() {
      replicas?.abort();
      port?.abort();
    },
  };
}

/** By the upstream that this process asks: the same where that stays. */
function onceEach(made: (one: AskedUpstream) => AskedUpstream): (one: AskedUpstream) => AskedUpstream {
  const known = new WeakMap<AskedUpstream, AskedUpstream>();
  return (one) => {
    const found = known.get(one) ?? made(one);
    known.set(one, found);
    return found;
  };
}

/** The workers of this process, over Unix sockets of theirs. */
function workerFleet(
  place: WorkerPlace,
  {
    events: { membersChanged: _members, memberBytes: _bytes, ...events },
    clock,
  }: Omit<MembersParts, 'workers'>,
) {
  const { key } = place.welcome;
  const seals = createSeals(() => [key]);
  const { workerBytes } = events;
  const own: Partial<FleetEvents> = { ...events, ...(workerBytes && { memberBytes: workerBytes }) };
  const fleet = createFleet({
    ...{ self: place.name, instance: place.name, seals, events: own, hasOneStore: true },
    list: { follow: (listed) => place.followNames(listed), close: () => undefined },
    socketOf: (worker) => socketOf(place, worker),
    ...defined({ clock }),
  });
  return { fleet, seals, events: own };
}

function socketOf({ welcome: { directory } }: WorkerPlace, worker: string): string {
  return join(directory, `${worker}.sock`);
}

function exchanged(shown: Map<string, CachedRegistry>, registries: readonly CachedRegistry[]): void {
  shown.clear();
  for (const registry of registries) shown.set(registry.name, registry);
}
