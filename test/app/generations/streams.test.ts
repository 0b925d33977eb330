import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { stringify } from 'yaml';
import { configuredStreams } from '../../../src/app/generations/streams.ts';
import { load } from '../../../src/config/load.ts';
import { silentStreamEvents } from '../../../src/image-streams/index/events.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { until } from '../../support/bodies.ts';
import { imageStreamDouble } from '../../support/image-stream-double.ts';
import { serviceRig } from '../../support/service.ts';

const digest = parseDigest(`sha256:${'a'.repeat(64)}`);

/** A stream with a tag for each pull spec. */
function named(...specs: readonly string[]): object {
  return { tags: specs.map((name, at) => ({ name: `t${at}`, from: { kind: 'DockerImage', name } })) };
}

async function clusterFile(t: Test, kubeconfig: string): Promise<string> {
  const file = join(t.testdir({}), 'kubeconfig');
  await writeFile(file, kubeconfig);
  return file;
}

const settingsOf = (kubeconfigFile: string, streams: object) => ({
  upstreams: { 'quay.io': {}, 'docker.io': {} },
  publicUrl: 'https://public.example:8443/',
  clusters: { 'app.ci': { kubeconfigFile, streams }, other: { kubeconfigFile } },
  hosts: {
    'proxy.example': { auth: 'cluster', access: 'imagestream', upstream: 'quay.io' },
    '*': { upstream: 'docker.io' },
  },
});

test('streams name images under the hosts of the service, its public name and further ones', async (t) => {
  const api = await imageStreamDouble();
  t.teardown(() => api.close());
  const file = await clusterFile(t, api.kubeconfig);
  const config = (trusted: readonly string[]) =>
    load(stringify(settingsOf(file, { trusted, proxyNames: ['old.example'] })), {});
  const streams = await configuredStreams(config(['ocp']), {
    records: createMemoryStore().records,
    events: silentStreamEvents,
  });
  t.teardown(() => streams.close());
  t.same(
    [streams.of('other'), streams.all.length, streams.states()],
    [undefined, 1, ['streams of app.ci: syncing']],
  );
  const hosts = ['proxy.example', 'public.example:8443', 'old.example', 'quay.io', 'other.example'];
  api.putObject('ocp/4.5', { spec: named(...hosts.map((host) => `${host}/openshift/ci@${digest}`)) });
  t.ok(streams.isReady(), 'until it is started');
  streams.start();
  t.notOk(streams.isReady());
  await until(() => streams.isReady());
  const index = streams.of('app.ci');
  const tags = (upstream: string) =>
    index
      ?.naming({ upstream, repository: parseRepository('openshift/ci') }, digest)
      .map(({ tag }) => tag)
      .toSorted();
  t.same(
    [tags('quay.io'), tags('docker.io')],
    [
      ['t0', 't3'],
      ['t1', 't2'],
    ],
  );
  t.same(streams.states(), ['streams of app.ci: synced']);
  t.same([index?.isTrusted('ocp'), index?.isTrusted('origin')], [true, false]);
  streams.reload(config(['origin']));
  t.same([index?.isTrusted('ocp'), index?.isTrusted('origin')], [false, true]);
});

test('a cluster that takes over the name of another knows nothing of what was kept of it', async (t) => {
  const { records } = createMemoryStore();
  const place = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };

  async function knownOf(kubeconfig: string, mayLoad: (outcome: string) => boolean) {
    const told: string[] = [];
    const config = load(stringify(settingsOf(await clusterFile(t, kubeconfig), { trusted: ['ocp'] })), {});
    const streams = await configuredStreams(config, {
      records,
      events: {
        ...silentStreamEvents,
        streamsKept: ({ outcome }) => told.push(outcome),
        streamsListed: () => told.push('listed'),
      },
    });
    streams.start();
    await until(() => told.some(mayLoad));
    const known = streams.of('app.ci')?.naming(place, digest).length;
    await streams.close();
    return known;
  }

  const api = await imageStreamDouble();
  t.teardown(() => api.close());
  api.putObject('ocp/4.5', { spec: named(`quay.io/openshift/ci@${digest}`) });
  t.equal(await knownOf(api.kubeconfig, (outcome) => outcome === 'listed'), 1);
  const other = await imageStreamDouble();
  t.teardown(() => other.close());
  other.switches.answersStatus = 503;
  t.equal(await knownOf(other.kubeconfig, (outcome) => outcome !== 'listed'), 0);
  api.switches.answersStatus = 503;
  t.equal(await knownOf(api.kubeconfig, (outcome) => outcome !== 'listed'), 1, 'the same cluster does');
});

test('the service shows the state of the index in /readyz, metrics and log, and keeps it', async (t) => {
  const api = await imageStreamDouble();
  t.teardown(() => api.close());
  api.putObject('ocp/4.5', { spec: named(`proxy.example/openshift/ci@${digest}`) });
  const file = await clusterFile(t, api.kubeconfig);
  const { clusters, hosts } = settingsOf(file, { trusted: ['ocp'] });
  const directory = dirname(file);
  const settings = { clusters, hosts: { 'proxy.example': hosts['proxy.example'], '*': {} } };
  api.switches.answersStatus = 503;
  const first = await serviceRig(t, { settings, directory });
  const readyz = async (url: string) => {
    const answer = await fetch(`${url}/readyz`);
    return [answer.status, await answer.text()];
  };
  t.same(await readyz(first.url), [503, 'not ready\nstreams of app.ci: syncing\n']);
  await until(() => first.log.some(({ msg }) => msg === 'cannot list or watch image streams; retrying'));
  delete api.switches.answersStatus;
  await until(() => first.log.some(({ msg }) => msg === 'image streams listed'));
  t.same(await readyz(first.url), [200, 'OK\nstreams of app.ci: synced\n']);
  const text = await first.metrics();
  t.match(text, /quayside_stream_index_state{cluster="app.ci",state="synced"} 1/);
  t.match(text, /quayside_stream_index_state{cluster="app.ci",state="syncing"} 0/);
  t.match(text, /quayside_stream_index_digests{cluster="app.ci"} 1/);
  t.match(text, /quayside_stream_lists_total{cluster="app.ci",reason="start"} 1/);
  t.match(text, /quayside_stream_failures_total{cluster="app.ci"} [1-9]/);
  await first.stop();
  await until(() => api.connections === 0);
  api.switches.answersStatus = 503;
  const second = await serviceRig(t, { settings, directory });
  await until(() => second.log.some(({ msg }) => msg === 'cannot list or watch image streams; retrying'));
  const after = await second.metrics();
  t.match(after, /quayside_stream_records_total{cluster="app.ci",operation="read",outcome="done"} 1/);
  t.match(after, /quayside_stream_index_digests{cluster="app.ci"} 1/);
  t.match(after, /quayside_stream_index_state{cluster="app.ci",state="syncing"} 1/);
});
