import { type Test, test } from 'tap';
import { stringify } from 'yaml';
import { configuredRequests } from '../../../src/app/generations/requests.ts';
import { listening, pullServer } from '../../../src/app/server.ts';
import { createAttempts } from '../../../src/auth/attempts.ts';
import { createGuard } from '../../../src/auth/guards/guard.ts';
import { createTokens } from '../../../src/auth/tokens/token.ts';
import { randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { Expression } from '../../../src/base/text/expression.ts';
import { load } from '../../../src/config/load.ts';
import type { SourceRule } from '../../../src/mirror/fallback/source-rules.ts';
import { logger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { entering } from '../../support/generation.ts';
import { type MissRig, missRig } from '../../support/miss-rig.ts';

const tag = 'ocp_4.5_base';

/** Clients of the rig's cache, by HTTP; `allowed` is what the host's rules say of everything. */
async function clients(t: Test, { qci, store }: MissRig, allowed: boolean) {
  const door = createGuard({
    authenticator: { authenticate: async () => ({ name: 'somebody', groups: [] }) },
    authorizer: { authorize: async () => ({ allowed, rule: 'test' }), visible: async () => [] },
    tokens: createTokens({ keys: randomTokenKeys, audience: 'ci.example.com' }),
  });
  const config = load(stringify({ upstreams: { 'quay.io': {} } }), {});
  const { app } = await pullServer(config, {
    log: logger({ level: 'error', destination: { write: () => undefined } }),
    events: createMetrics().events,
    attempts: createAttempts(),
    enter: entering(
      configuredRequests(config, {
        hosts: [{ name: '*', upstream: 'quay.io', guard: door }],
        registries: new Map([['quay.io', qci]]),
      }),
    ),
    store,
    isReady: async () => true,
  });
  t.teardown(() => app.close());
  const address = await listening(app, '127.0.0.1:0');
  const authorization = `Basic ${Buffer.from('somebody:password').toString('base64')}`;
  return (path: string, method = 'GET') =>
    fetch(`http://${address}/v2/openshift/ci/${path}`, { method, headers: { authorization } });
}

test('a client cannot tell an answer of a source from one of the upstream', async (t) => {
  const rig = await missRig(t);
  const ask = await clients(t, rig, true);
  const image = rig.doubles.source.addImage('ocp/4.5', 'base', { layers: [300_000] });
  const head = await ask(`manifests/${tag}`, 'HEAD');
  t.equal(head.status, 200);
  t.equal(head.headers.get('docker-content-digest'), image.digest);
  const manifest = await ask(`manifests/${tag}`);
  t.ok(image.manifest.equals(Buffer.from(await manifest.arrayBuffer())));
  const [layer] = image.layers;
  const blob = await ask(`blobs/${layer?.digest}`);
  t.ok(layer?.bytes.equals(Buffer.from(await blob.arrayBuffer())));
  t.equal((await ask(`blobs/${image.config}`, 'HEAD')).status, 200);
});

test('whom the rules turn away causes no question to the source', async (t) => {
  const match = Expression.whole(String.raw`quay\.io/openshift/ci[:@].+`);
  const elsewhere: SourceRule = { match, from: 'registry.ci.openshift.org/ocp/4.5:base' };
  const rig = await missRig(t, { sources: [{ preset: 'openshift-ci' }, elsewhere] });
  const ask = await clients(t, rig, false);
  const image = rig.doubles.source.addImage('ocp/4.5', 'base');
  for (const path of [`manifests/${tag}`, `manifests/${image.digest}`, `blobs/${image.config}`])
    t.equal((await ask(path)).status, 403, path);
  t.same(rig.doubles.source.requests, []);
  t.same(rig.tasks, []);
});

test('absent everywhere: 404; unknown: 503, with a time to come back', async (t) => {
  const rig = await missRig(t);
  const ask = await clients(t, rig, true);
  t.equal((await ask(`manifests/${tag}`)).status, 404);
  rig.pass(60_000);
  rig.doubles.source.switches.down = true;
  const answer = await ask(`manifests/${tag}`);
  t.equal(answer.status, 503);
  t.match(answer.headers.get('retry-after'), /^[1-9]\d*$/);
  const text = await answer.text();
  t.match(text, /not in quay\.io\/openshift\/ci; registry\.ci\.openshift\.org cannot be asked now/);
  t.notMatch(text, /127\.0\.0\.1|\\n/, 'no address, and one line');
});
