import { createAnswers, type RequestMemory } from '../../app/explain/answers.ts';
import { createExplainSources, type ExplainParts } from '../../app/explain/sources.ts';
import { createClusterClients } from '../../app/mirror/cluster-clients.ts';
import { configuredReadings, configuredRules } from '../../app/mirror/rules.ts';
import { configuredStore } from '../../app/store.ts';
import type { Subject } from '../../auth/access.ts';
import { closeInTurn } from '../../base/flow/close-all.ts';
import { defined } from '../../base/text/defined.ts';
import { createTagPointers } from '../../cache/records/tag-pointers.ts';
import type { Config } from '../../config/load.ts';
import type { RightsSource } from '../../explain/sources.ts';
import { createBufferPool } from '../../store/buffers.ts';
import { createUpstream } from '../../upstream/client/client.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { decidedBy } from '../access/access-check.ts';
import { subjectOf } from '../access/access-question.ts';
import { accessSources } from '../access/access-sources.ts';
import type { Io } from '../flags/io.ts';
import { commandHelpers } from '../mirror/auth-file.ts';
import { configFile } from '../serve/config-file.ts';
import type { Explainer, ExplainWords } from './explain.ts';

/** Without a server no request is remembered. */
const noRequests: RequestMemory = { find: () => undefined };

/**
 * Explains by settings and store alone, with the rights of the user who runs it: the clusters are
 * asked with the kubeconfigs of the settings. Writes nothing.
 */
export async function offline(words: ExplainWords, io: Io): Promise<Explainer> {
  const config = await configFile(words.config, io);
  const store = await configuredStore(config, createBufferPool(), {});
  const tags = createTagPointers({
    records: store.records,
    maxEntries: 1_000,
    confirmEveryMs: 0,
    events: { storeFailed: () => {} },
  });
  const clients = createClusterClients(config.clusters);
  const upstreams = openUpstreams(config, io);
  const rules = config.mirror && (await configuredRules(config.mirror, () => {}));
  const readings = await configuredReadings(config.mirror);
  const rights = openRights(config);
  const parts: ExplainParts = {
    store,
    isOurStore: false,
    tags,
    upstream: upstreams.of,
    rights,
    clients,
    ...defined({ mirror: rules && { rules }, checkout: words.checkout }),
  };
  const sources = createExplainSources(config, parts);
  const answers = createAnswers({ sources, readings, requests: noRequests });
  const subject = words.as === undefined ? undefined : namedSubject(words, config);
  return {
    explain: (input) =>
      answers.explain(
        { input, ...defined({ host: words.host }) },
        { viewer: 'operator', ...defined({ subject }) },
      ),
    async close() {
      await closeInTurn([
        () => rules?.close(),
        () => upstreams.close(),
        () => clients.close(),
        () => tags.close(),
        () => store.close(),
      ]);
    },
  };
}

/** At the cluster of the host; where none is named, of the first one that asks a cluster. */
function namedSubject(words: ExplainWords, config: Config): Subject {
  const asking = Object.keys(config.hosts).filter((name) => config.hosts[name]?.auth === 'cluster');
  const host = words.host !== undefined && asking.includes(words.host) ? words.host : (asking[0] ?? '*');
  return subjectOf(words, config, host);
}

function openUpstreams(config: Config, io: Io) {
  const { env } = io;
  const helpers = commandHelpers(io, config);
  const open = new Map<string, Upstream>();
  return {
    of(name: string): Upstream | undefined {
      const options = config.upstreams[name];
      if (options === undefined) return undefined;
      const made = open.get(name) ?? createUpstream({ ...options, name, env, helpers, retries: 0 });
      open.set(name, made);
      return made;
    },
    close: async () => {
      await Promise.all([...open.values()].map((upstream) => upstream.close()));
      helpers.close();
    },
  };
}

function openRights(config: Config): RightsSource {
  return {
    async decide(host, subject, access) {
      const { cluster } = subject;
      if (cluster === undefined) throw new Error('the user has no cluster');
      const sources = await accessSources(config, cluster);
      try {
        const found = await decidedBy(config, { host, access, subject: { ...subject, cluster } }, sources);
        return { decision: found.decision, ...defined({ because: found.because }) };
      } finally {
        await sources.close();
      }
    },
    mayReadStream: async () => true,
  };
}
