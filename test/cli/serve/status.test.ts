import { type Test, test } from 'tap';
import { run } from '../../../src/cli/commands/run.ts';
import type { Condition, ConditionReport } from '../../../src/conditions/condition.ts';
import { reportJson, reportText } from '../../../src/conditions/report-text.ts';
import { until } from '../../support/bodies.ts';
import { adminListener } from '../admin-rig.ts';
import { recordedIo } from '../io.ts';

const condition = (type: string, status: Condition['status'], name?: string): Condition => ({
  type,
  status,
  reason: 'Refused',
  message: 'connection refused',
  lastTransitionTime: 1_780_000_000_000,
  ...(name === undefined ? {} : { name }),
});

function report(available: Condition['status'], degraded: Condition['status']): ConditionReport {
  const pending = { ...condition('', 'False'), since: 1_780_000_010_000, countsAt: 1_780_000_130_000 };
  const { type: _type, lastTransitionTime: _time, ...waiting } = pending;
  return {
    conditions: [
      condition('Available', available),
      condition('Progressing', 'False'),
      condition('Degraded', degraded),
    ],
    parts: [{ ...condition('UpstreamReachable', 'True', 'quay.io'), pending: waiting }],
  };
}

async function stage(t: Test) {
  const state = { current: report('True', 'False') };
  const status = () => ({ json: reportJson(state.current), text: reportText(state.current) });
  const admin = await adminListener(t, { status });
  return {
    state,
    admin,
    status: async (...words: readonly string[]) => {
      const io = recordedIo();
      const code = await run(['status', '--admin', admin, ...words], io);
      return { code, out: io.out(), err: io.err() };
    },
  };
}

test('the table is that of /statusz, and the exit code says whether all is well', async (t) => {
  const { state, admin, status } = await stage(t);
  const table = await (await fetch(`${admin}/statusz`)).text();
  t.match(table, /^Available +True {5}2026-05-28T20:26:40Z {2}Refused: connection refused\n/);
  t.match(
    table,
    /\nUpstreamReachable quay\.io {2}True .*\n +False since .*, counts at 2026-05-28T20:28:50Z /,
  );
  t.same(await status(), { code: 0, out: table, err: '' });
  for (const [available, degraded, code] of [
    ['False', 'False', 1],
    ['Unknown', 'False', 1],
    ['True', 'True', 1],
    ['True', 'Unknown', 0],
  ] as const) {
    state.current = report(available, degraded);
    t.equal((await status()).code, code, `${available} ${degraded}`);
  }
});

test('as JSON it is one document, the same as /statusz gives', async (t) => {
  const { admin, status } = await stage(t);
  const answer = await fetch(`${admin}/statusz`, { headers: { accept: 'application/json' } });
  t.equal(answer.headers.get('content-type'), 'application/json');
  const document: unknown = await answer.json();
  t.same(JSON.parse((await status('--json')).out), document);
  t.same(await (await fetch(`${admin}/statusz?format=json`)).json(), document);
  t.equal((await fetch(`${admin}/statusz?format=xml`)).status, 400);
});

test('a watched server is printed once for each change, until ^C', async (t) => {
  const { state, admin } = await stage(t);
  const stop = new AbortController();
  const io = recordedIo(stop.signal);
  const watched = run(['status', '--watch', '--json', '--admin', admin], io);
  await until(() => io.out().split('\n').length === 2);
  state.current = report('False', 'False');
  await until(() => io.out().split('\n').length === 3);
  stop.abort(new Error('SIGINT'));
  t.equal(await watched, 130);
});

test('a server that cannot be asked is 3, a mistake 2', async (t) => {
  const { status } = await stage(t);
  const io = recordedIo();
  t.equal(await run(['status', '--admin', 'http://127.0.0.1:1'], io), 3);
  t.match(io.err(), /^quayside status: 127\.0\.0\.1:1 cannot be asked/);
  t.equal((await status('word')).code, 2);
});
