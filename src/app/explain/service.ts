import type { Authenticator, Subject } from '../../auth/access.ts';
import type { RememberedCluster } from '../../auth/clusters/cluster.ts';
import type { Question } from '../../auth/question.ts';
import { groupsOf } from '../../auth/subject.ts';
import { defined } from '../../base/text/defined.ts';
import type { Clock } from '../../base/time/wait.ts';
import type { TagPointers } from '../../cache/records/tag-pointers.ts';
import type { Config } from '../../config/load.ts';
import type { RightsSource } from '../../explain/sources.ts';
import { explanationJson, explanationText } from '../../explain/text.ts';
import { createReadings } from '../../image-streams/flat-tags.ts';
import type { ImageStreamTag } from '../../image-streams/image-stream-tag.ts';
import type { QueuedTask } from '../../mirror/queue/task.ts';
import type { Host } from '../../proxy/access/hosts.ts';
import type { RecentFailures } from '../../proxy/http/recent-failures.ts';
import type { ExplainApi } from '../../proxy/operators/explain.ts';
import type { Store } from '../../store/store.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { createClusterClients } from '../mirror/cluster-clients.ts';
import type { Rules } from '../mirror/rules.ts';
import { createAnswers } from './answers.ts';
import { createExplainSources, streamCluster } from './sources.ts';
import type { UpstreamStates } from './states.ts';

interface ExplainServiceParts {
  readonly store: Store;
  readonly tags: Pick<TagPointers, 'reread'>;
  /** Without the sources of their misses. */
  readonly upstreams: readonly Upstream[];
  readonly hosts: readonly Host[];
  readonly clusters: ReadonlyMap<string, RememberedCluster>;
  /** Those of every cluster. */
  readonly users: Authenticator;
  readonly states: Pick<UpstreamStates, 'of' | 'storeTrouble'>;
  readonly failures: Pick<RecentFailures, 'find'>;
  readonly clock?: Clock;
  readonly mirror?: {
    readonly rules: Pick<Rules, 'current' | 'places' | 'readings'>;
    readonly task: (destination: string) => QueuedTask | undefined;
  };
}

/** Explains with the parts of the running service. */
export function configuredExplain(
  config: Config,
  parts: ExplainServiceParts,
): ExplainApi & { close(): Promise<void> } {
  const { clusters, mirror, states, failures } = parts;
  const upstreams = new Map(parts.upstreams.map((upstream) => [upstream.name, upstream]));
  const clients = createClusterClients(config.clusters);
  const sources = createExplainSources(config, {
    store: parts.store,
    isOurStore: true,
    tags: parts.tags,
    upstream: (name) => upstreams.get(name),
    rights: rightsOf(config, parts),
    clients,
    state: (name) => states.of(name),
    storeTrouble: () => states.storeTrouble(),
    ...defined({ clock: parts.clock, mirror: mirror && { rules: mirror.rules, running: mirror.task } }),
  });
  const readings = mirror?.rules.readings ?? createReadings();
  const answers = createAnswers({ sources, readings, requests: failures });
  const takesTokens = config.admin.cluster !== undefined;
  return {
    async explain(query, viewer) {
      const explanation = await answers.explain(query, viewer);
      return { json: explanationJson(explanation), text: explanationText(explanation, Date.now()) };
    },
    ...(takesTokens && {
      subjectOf: (token: string, address: string) =>
        parts.users.authenticate({ kind: 'bearer', token }, address),
    }),
    async impersonated(caller, { name, groups }) {
      const cluster = clusters.get(caller.cluster ?? '');
      if (cluster === undefined) return undefined;
      for (const question of [userQuestion(name), ...groups.map(groupQuestion)])
        if (!(await cluster.ask(caller, question)).allowed) return undefined;
      return { name, groups: groupsOf(name, groups), cluster: cluster.name };
    },
    close: () => clients.close(),
  };
}

function rightsOf(config: Config, { hosts, clusters }: ExplainServiceParts): RightsSource {
  const streamsAt = streamCluster(config);
  return {
    async decide(host, subject, access) {
      const guard = hosts.find(({ name }) => name === host)?.guard;
      if (guard === undefined) throw new Error(`host ${host} has no rules`);
      return { decision: await guard.authorize(subject, access) };
    },
    async mayReadStream(subject: Subject, { namespace, name }: ImageStreamTag) {
      const cluster = subject.cluster === streamsAt ? clusters.get(streamsAt ?? '') : undefined;
      if (cluster === undefined) return false;
      const group = 'image.openshift.io';
      const question = { verb: 'get', group, resource: 'imagestreams', namespace, name };
      return (await cluster.ask(subject, question)).allowed;
    },
  };
}

/** The right that Kubernetes asks for to impersonate the user: a service account is one by name. */
function userQuestion(user: string): Question {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  if (namespace !== undefined && name !== undefined)
    return { verb: 'impersonate', group: '', resource: 'serviceaccounts', namespace, name };
  return { verb: 'impersonate', group: '', resource: 'users', namespace: '', name: user };
}

function groupQuestion(name: string): Question {
  return { verb: 'impersonate', group: '', resource: 'groups', namespace: '', name };
}
