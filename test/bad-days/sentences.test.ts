import { test } from 'tap';
import { until } from '../support/bodies.ts';
import type { Misbehaviours } from '../support/registry-misbehaviours.ts';
import type { LogLine } from '../support/service.ts';
import { type BadDay, badDay, digestOrCut, refusal } from './rig.ts';

/** The line of a request, once its connection is closed. */
async function lineOf(rig: BadDay, requestId: string): Promise<LogLine> {
  const found = () => rig.log.find((line) => line.msg === 'request' && line['requestId'] === requestId);
  await until(() => found() !== undefined, `the line of ${requestId}`);
  return found() as LogLine;
}

const asked = (id: string, init: RequestInit = {}): RequestInit => ({
  ...init,
  headers: { 'x-request-id': id },
});

const failures: Readonly<Record<string, { switches: Misbehaviours; message: RegExp; log: object }>> = {
  401: {
    switches: { status: { of: 'manifests', code: 401 } },
    message: /^the upstream quay\.io refuses access .* answers 401, .*login.* \(request id-1\)$/,
    log: { error: 'DENIED', upstreamStatus: 401 },
  },
  403: {
    switches: { status: { of: 'manifests', code: 403, error: 'DENIED' } },
    message: /^the upstream quay\.io refuses access .* answers 403, .*no right.* \(request id-1\)$/,
    log: { error: 'DENIED', upstreamStatus: 403, upstreamSaid: /^DENIED/ },
  },
  429: {
    switches: { status: { of: 'manifests', code: 429, error: 'TOOMANYREQUESTS' } },
    message: /^the upstream quay\.io throttles requests \(request id-1\)$/,
    log: { error: 'UNAVAILABLE', upstreamStatus: 429, upstreamSaid: /^TOOMANYREQUESTS/ },
  },
  500: {
    switches: { status: { of: 'manifests', code: 500 }, refusesInHtml: true },
    message: /^the upstream quay\.io answers with status 500 \(request id-1\)$/,
    log: { error: 'UNAVAILABLE', upstreamStatus: 500, upstreamSaid: String },
  },
  'a page': {
    switches: { answersHtml: true },
    message: /^the upstream quay\.io answered .* not (?:a manifest|JSON) \(request id-1\)$/,
    log: { error: 'UPSTREAM_INVALID', upstreamStatus: 200, upstreamSaid: String },
  },
  'no answer': {
    switches: { down: true },
    message: /^the upstream quay\.io cannot be reached: .*\(UND_ERR_SOCKET\) \(request id-1\)$/,
    log: { error: 'UNAVAILABLE', cause: /^UND_ERR_SOCKET: / },
  },
  'an unknown tag': {
    switches: {},
    message: /^quay\.io: the repository has no such tag \(request id-1\)$/,
    log: { error: 'MANIFEST_UNKNOWN', detail: { tag: 'nine' } },
  },
};

for (const [what, { switches, message, log }] of Object.entries(failures)) {
  test(`of ${what} the client is told upstream, cause and request id, and the log has more`, async (t) => {
    const rig = await badDay(t, { upstream: { retries: 0 } });
    Object.assign(rig.double.switches, switches);
    const told = await refusal(await rig.get('manifests/nine', asked('id-1')));
    t.match(told.message, message);
    t.ok(told.message.length < 300);
    t.match(await lineOf(rig, 'id-1'), { ...log, message: told.message, upstream: 'quay.io' });
    if (told.status < 500) return;
    const failed = rig.log.find((line) => line.msg === 'request failed');
    t.match(failed, { requestId: 'id-1', message: told.message, upstream: 'quay.io' });
  });
}

test('an open breaker says what it was opened by', async (t) => {
  const rig = await badDay(t, { upstream: { retries: 0, breaker: { failures: 2, openMs: '60s' } } });
  rig.double.switches.status = { of: 'everything', code: 503 };
  for (let count = 0; count < 4; count += 1) await rig.get('manifests/nine');
  await until(async () => (await refusal(await rig.get('manifests/nine'))).message.includes('circuit'));
  const told = await refusal(await rig.get('manifests/nine', asked('id-2')));
  t.match(told.message, /^the circuit breaker of the upstream quay\.io is open .* 503; next attempt in/);
  t.match(await lineOf(rig, 'id-2'), { message: told.message });
});

test('a body that we cut is a failure of its source, not a client that left', async (t) => {
  const rig = await badDay(t, { upstream: { retries: 0 } });
  rig.double.switches.servesWrongBytes = true;
  const cut = await rig.getLayer(asked('id-3'));
  t.equal(cut.status, 200);
  t.equal(await digestOrCut(cut), 'cut');
  t.match(await lineOf(rig, 'id-3'), {
    status: 502,
    cut: 'failure',
    error: 'UPSTREAM_INVALID',
    message: /^quay\.io: the content does not match its digest or size \(request id-3\)$/,
    detail: { digest: rig.layer.digest },
  });
  t.match(await rig.metrics(), /quayside_requests_total\{kind="blob",status="502"\} 1/);
  t.notMatch(await rig.metrics(), /status="499"/);
});

test('a client that leaves is 499 as before', async (t) => {
  const rig = await badDay(t);
  rig.double.switches.stallsAfter = { bytes: 100_000, times: 1 };
  const leaving = new AbortController();
  const answer = await rig.getLayer(asked('id-4', { signal: leaving.signal }));
  t.equal(answer.status, 200);
  leaving.abort();
  t.match(await lineOf(rig, 'id-4'), { status: 499, cut: undefined });
});

test('a long request id leaves a message below 300 characters', async (t) => {
  const rig = await badDay(t, { upstream: { retries: 0 } });
  rig.double.switches.status = { of: 'manifests', code: 401 };
  const id = 'x'.repeat(64);
  const { message } = await refusal(await rig.get('manifests/nine', asked(id)));
  t.ok(message.length < 300);
  t.match(message, new RegExp(`\\(request ${id}\\)$`));
});
