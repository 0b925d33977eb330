import { test } from 'tap';
import {
  type ConnectFailure,
  connectFailureAfter,
  connectRefusal,
} from '../../../src/upstream/resilience/connect-failure.ts';
import { TryAgain } from '../../../src/upstream/resilience/retry.ts';
import { app, refusalOf, rig, v1 } from '../rig.ts';

const systemError = (code: string) => Object.assign(new Error(code), { code });
const absent = (code: string): ConnectFailure => ({ since: 0, cause: systemError(code) });
/** No name server is asked for a label that is too long. */
const unknownHost = `http://${'a'.repeat(64)}.test`;

test('an unknown host name is reported at once', async (t) => {
  const { upstream, events } = await rig(t, { url: unknownHost });
  const refusal = await refusalOf(upstream.manifest(app, v1));
  t.match(refusal, {
    code: 'UNAVAILABLE',
    retry: 'later',
    message: "the upstream's host name cannot be resolved",
    cause: { code: 'ENOTFOUND' },
  });
  t.notOk(events.includes('retried network'));
});

test('an upstream that never answered is waited for, but for 3 s only', async (t) => {
  let now = 0;
  const { registry, upstream, events } = await rig(t, {
    now: () => {
      now += 500;
      return now;
    },
    retries: 1_000,
    breaker: { failures: 1_000 },
  });
  await registry.close();
  const refusal = await refusalOf(upstream.manifest(app, v1));
  t.match(refusal, {
    retry: 'later',
    message: 'the upstream does not accept connections',
    cause: { code: 'ECONNREFUSED' },
  });
  const tries = events.filter((event) => event === 'retried network').length;
  t.ok(tries > 0 && tries < 6, `${tries} tries`);
  await refusalOf(upstream.manifest(app, v1));
  t.equal(events.filter((event) => event === 'retried network').length, tries, 'later requests do not wait');
});

test('an upstream that answered before is waited for as long as any other failure lasts', async (t) => {
  const { registry, upstream, events } = await rig(t, { now: () => 1_000 * performance.now() });
  registry.addImage('team/app', 'v1');
  await upstream.manifest(app, v1);
  await registry.close();
  t.match(await refusalOf(upstream.manifest(app, v1)), {
    retry: 'now',
    message: 'the upstream cannot be reached',
  });
  t.equal(events.filter((event) => event === 'retried network').length, 3);
});

test('an open breaker does not hide why an upstream never answered', async (t) => {
  const { registry, upstream } = await rig(t, { retries: 0, breaker: { failures: 1 } });
  await registry.close();
  await refusalOf(upstream.manifest(app, v1));
  t.match(await refusalOf(upstream.manifest(app, v1)), { cause: { code: 'ECONNREFUSED' } });
});

test('only what keeps a connection from coming about makes an absence', async (t) => {
  const at = { startedAt: 5, before: undefined };
  t.equal(connectFailureAfter(systemError('ECONNRESET'), at), undefined);
  t.match(connectFailureAfter(systemError('ECONNREFUSED'), at), { since: 5 });
  t.match(connectFailureAfter(systemError('EAI_AGAIN'), { startedAt: 9, before: absent('EAI_AGAIN') }), {
    since: 0,
  });
});

test('no pause goes beyond the wait', async (t) => {
  const absence = absent('ECONNREFUSED');
  const early = connectRefusal(absence.cause, absence, 2_900);
  t.ok(early instanceof TryAgain && early.longestPauseMs === 100);
  t.match(connectRefusal(absence.cause, absence, 3_000), { name: 'RegistryError', retry: 'later' });
});
