import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { primaryRig, servingRig } from './forked-double.ts';

test('the first worker starts alone, and the others once it serves', async (t) => {
  const { primary, forks, at } = primaryRig(3);
  const begun = primary.start(new AbortController().signal);
  t.equal(forks.length, 1);
  await at(0).serve();
  t.equal(forks.length, 3);
  await at(1).serve({ address: 'another' });
  await at(2).serve();
  t.match(await begun, { address: '127.0.0.1:8400' });
  t.same(
    [0, 1, 2].map((index) => [at(index).welcome()?.number, at(index).welcome()?.isOnDuty]),
    [
      [1, true],
      [2, false],
      [3, false],
    ],
  );
  const onDuty = 'worker-1';
  t.same(at(2).told.at(-1), { kind: 'workers', names: ['worker-1', 'worker-2', 'worker-3'], onDuty });
});

test('a first worker that cannot start ends the start with its code, and is not started again', async (t) => {
  const { primary, at, forks, clock, events } = primaryRig(2);
  const begun = primary.start(new AbortController().signal);
  at(0).say({ kind: 'hello' });
  await at(0).end({ code: 1 });
  t.match(await begun, { code: 1 });
  t.equal(await primary.stop('SIGTERM', 1_000), 0);
  await clock.pass(60_000);
  t.equal(forks.length, 1);
  t.same(
    events.filter(([name]) => name === 'ended'),
    [],
    'it has said why itself',
  );
});

test('a worker that ends is followed by another: after a pause that doubles, or at once', async (t) => {
  const { at, forks, clock, events } = await servingRig();
  for (const [index, pauseMs] of [500, 1_000, 2_000].entries()) {
    await at(index + 1).end({ code: null, signal: 'SIGKILL' });
    await clock.pass(pauseMs - 1);
    t.equal(forks.length, index + 2);
    await clock.pass(1);
    t.equal(forks.length, index + 3);
    await at(index + 2).serve();
  }
  t.match(at(4).welcome(), { number: 2, settings: 'first', isOnDuty: false });
  await clock.pass(30_000);
  await at(4).end({ code: null, signal: 'SIGKILL' });
  await clock.pass(0);
  t.equal(forks.length, 6, 'one that had served for 30 s is followed at once');
  t.match(
    events.find(([name]) => name === 'ended'),
    ['ended', { worker: 2, signal: 'SIGKILL', restartMs: 500 }],
  );
});

test('while a worker is gone, the others are told, and know when another has come', async (t) => {
  const { at, clock } = await servingRig();
  await at(1).end();
  const onDuty = 'worker-1';
  t.same(at(0).told.at(-1), { kind: 'workers', names: ['worker-1'], onDuty });
  await clock.pass(500);
  await at(2).serve();
  t.same(at(0).told.at(-1), { kind: 'workers', names: ['worker-1', 'worker-2'], onDuty });
});

test('the duty passes to another that serves, and does not return', async (t) => {
  const { at, clock, events } = await servingRig();
  await at(0).end({ code: null, signal: 'SIGKILL' });
  t.ok(at(1).told.some(({ kind }) => kind === 'duty'));
  t.match(at(1).told.at(-1), { kind: 'workers', onDuty: 'worker-2' }, 'and all know it');
  await clock.pass(500);
  await at(2).serve();
  t.match(at(2).welcome(), { number: 1, isOnDuty: false });
  t.same(
    events.filter(([name]) => name === 'duty'),
    [['duty', { worker: 2 }]],
  );
});

test('where all have ended, the first that serves again has the duty, and no second one', async (t) => {
  const { at, clock } = await servingRig();
  await at(1).end();
  await at(0).end();
  await clock.pass(500);
  await at(2).serve();
  await at(3).serve();
  const onDuty = [2, 3].filter(
    (index) => at(index).welcome()?.isOnDuty === true || at(index).told.some(({ kind }) => kind === 'duty'),
  );
  t.equal(onDuty.length, 1);
});

test('the page of metrics has those of every worker that answers', async (t) => {
  const { at, metrics, clock } = await servingRig();
  at(0).say({ kind: 'ask', id: 7, question: 'metrics' });
  for (const index of [0, 1]) {
    const asked = at(index).told.at(-1);
    t.match(asked, { kind: 'ask', question: 'metrics' });
    if (asked?.kind === 'ask' && index === 0) at(0).say({ kind: 'answer', id: asked.id, value: ['a'] });
  }
  await clock.pass(2_000);
  t.same(metrics.taken, [[1, ['a']]], 'one that does not answer within 2 s is left out');
  t.same(at(0).told.at(-1), { kind: 'answer', id: 7, value: { text: 'the page', exemplars: [] } });
});

test('all are ready when every other one that serves says so', async (t) => {
  const { at, clock } = await servingRig(3);
  async function isReady(...answers: (boolean | undefined)[]): Promise<unknown> {
    at(0).say({ kind: 'ask', id: 1, question: 'ready' });
    for (const [index, value] of answers.entries()) {
      const asked = at(index + 1).told.at(-1);
      if (asked?.kind === 'ask' && value !== undefined)
        at(index + 1).say({ kind: 'answer', id: asked.id, value });
    }
    await clock.pass(800);
    const answered = at(0).told.at(-1);
    return answered?.kind === 'answer' ? answered.value : answered;
  }
  t.equal(await isReady(true, true), true);
  t.equal(await isReady(true, false), false);
  t.equal(await isReady(true, undefined), false, 'one that does not answer is not');
  await at(2).end();
  t.equal(await isReady(true), true, 'one that is gone takes no connection');
});

test('a failed request is passed on to the worker on duty, which explains it', async (t) => {
  const { at } = await servingRig();
  const request = { id: 'x', at: 0, method: 'GET', path: '/', host: 'h', status: 500, message: 'm' };
  at(1).say({ kind: 'failure', request });
  t.same(at(0).told.at(-1), { kind: 'failure', request });
});

test('told to stop, all are told, none is started again, and the highest code is the answer', async (t) => {
  const { primary, at, forks, clock } = await servingRig(3);
  await at(2).end();
  const stopped = primary.stop('SIGTERM', 10_000);
  for (const index of [0, 1]) t.same(at(index).told.at(-1), { kind: 'stop', reason: 'SIGTERM' });
  await at(0).end({ code: 1 });
  await at(1).end();
  t.equal(await stopped, 1);
  await clock.pass(60_000);
  t.equal(forks.length, 3);
});

test('a worker that was started just before is told to stop once it can be told', async (t) => {
  const { primary, at } = await servingRig();
  const late = primaryRig(1);
  const abort = new AbortController();
  const begun = late.primary.start(abort.signal);
  abort.abort();
  t.equal(await begun, undefined);
  const stopped = late.primary.stop('SIGINT', 10_000);
  late.at(0).say({ kind: 'hello' });
  t.same(
    late
      .at(0)
      .told.slice(-2)
      .map(({ kind }) => kind),
    ['welcome', 'stop'],
  );
  await late.at(0).end();
  t.equal(await stopped, 0);
  void primary.stop('SIGTERM', 0);
  await Promise.all([at(0).end(), at(1).end()]);
});

test('a worker that does not end in time is ended by force', async (t) => {
  const { primary, at, clock } = await servingRig();
  const stopped = primary.stop('SIGTERM', 10_000);
  await at(0).end();
  await clock.pass(10_000);
  await turn();
  t.same(at(1).killed, ['SIGKILL']);
  await at(1).end({ code: null, signal: 'SIGKILL' });
  t.equal(await stopped, 1);
});

test('lines of workers come whole, one after the other, also of one that was killed in a line', async (t) => {
  const { at, lines } = await servingRig();
  at(0).output.write('{"a":1}\n{"b"');
  at(1).output.write('{"c":3}\n');
  at(0).output.write(':2}\n{"d"');
  at(0).output.destroy(new Error('the pipe is broken'));
  await turn();
  await turn();
  t.same(lines, ['{"a":1}\n', '{"c":3}\n', '{"b":2}\n', '{"d"\n']);
});

/** The last question about new settings of each process is answered so; then what came of all. */
async function answered(rig: Awaited<ReturnType<typeof servingRig>>, ...values: readonly unknown[]) {
  for (const [index, value] of values.entries()) {
    const asked = rig.at(index).told.at(-1);
    if (asked?.kind === 'ask' && value !== undefined)
      rig.at(index).say({ kind: 'answer', id: asked.id, value });
  }
  await turn();
}

test('all workers prepare new settings, and take them together', async (t) => {
  const rig = await servingRig();
  const { primary, at, clock } = rig;
  const reload = primary.reload('second');
  for (const index of [0, 1])
    t.match(at(index).told.at(-1), { kind: 'ask', question: 'prepare', settings: 'second' });
  await answered(rig, true);
  t.match(at(0).told.at(-1), { kind: 'ask' }, 'one waits for the other');
  await answered(rig, undefined, true);
  await reload;
  for (const index of [0, 1]) t.same(at(index).told.at(-1), { kind: 'decide', isTaken: true });
  await at(1).end();
  await clock.pass(500);
  await at(2).serve();
  t.match(at(2).welcome(), { started: 'first', settings: 'second' });
});

test('one worker that refuses keeps all of them, and those to come, as they were', async (t) => {
  const rig = await servingRig();
  const { primary, at, clock } = rig;
  const reload = primary.reload('second');
  const refused = t.rejects(reload, { message: 'worker 2: no such kubeconfig' });
  await answered(rig, true, 'no such kubeconfig');
  await refused;
  for (const index of [0, 1]) t.same(at(index).told.at(-1), { kind: 'decide', isTaken: false });
  await at(1).end();
  await clock.pass(500);
  await at(2).serve();
  t.match(at(2).welcome(), { settings: 'first' });
});

test('a worker that does not answer keeps all as they were; one that is gone does not', async (t) => {
  const rig = await servingRig();
  const { primary, at, clock } = rig;
  const late = t.rejects(primary.reload('second'), { message: 'worker 2: no answer within 90 s' });
  await answered(rig, true);
  await clock.pass(90_000);
  await late;
  const reload = primary.reload('second');
  await answered(rig, true);
  await at(1).end();
  await reload;
  t.same(at(0).told.at(-1), { kind: 'decide', isTaken: true });
});

test('a process that was started by the settings before gives way to one of the new ones', async (t) => {
  const rig = await servingRig();
  const { primary, at, clock } = rig;
  await at(1).end();
  await clock.pass(500);
  at(2).say({ kind: 'hello' });
  t.match(at(2).welcome(), { settings: 'first' });
  const reload = primary.reload('second');
  await answered(rig, true);
  await reload;
  t.same(at(2).killed, ['SIGKILL']);
  await at(2).end({ code: null, signal: 'SIGKILL' });
  await clock.pass(1_000);
  at(3).say({ kind: 'hello' });
  t.match(at(3).welcome(), { settings: 'second' });
});

test('where no worker serves, settings are not taken over by none', async (t) => {
  const { primary, at } = await servingRig();
  await at(0).end();
  await at(1).end();
  await t.rejects(primary.reload('second'), { message: 'no worker serves' });
});

test('what waits for a restart is told to all, and to those that come later', async (t) => {
  const { primary, at, clock } = await servingRig();
  primary.pending(['listen']);
  const told = { kind: 'pending', settings: ['listen'], refused: undefined };
  t.same(at(0).told.at(-1), told);
  await at(1).end();
  await clock.pass(500);
  await at(2).serve();
  t.match(at(2).told, [{ kind: 'welcome' }, told, { kind: 'workers' }]);
});

test('a worker that answers nothing is ended by force, and one that answers late is not', async (t) => {
  const { at, clock, events } = await servingRig();
  const answers = (index: number): void => {
    const asked = at(index).told.at(-1);
    if (asked?.kind === 'ask') at(index).say({ kind: 'answer', id: asked.id, value: true });
  };
  for (let round = 0; round < 2; round += 1) {
    await clock.pass(10_000);
    t.match(at(0).told.at(-1), { kind: 'ask', question: 'alive' });
    await clock.pass(14_000);
    answers(0);
    await turn();
    if (round === 0) answers(1);
    await turn();
  }
  await clock.pass(1_000);
  t.same(at(1).killed, [], 'it is asked once more');
  await clock.pass(15_000);
  t.same([at(0).killed, at(1).killed], [[], ['SIGKILL']]);
  t.match(
    events.find(([name]) => name === 'hung'),
    ['hung', { worker: 2 }],
  );
});

test('a worker that does not begin to serve is ended by force, and another one is started', async (t) => {
  const { primary, forks, at, clock, events } = primaryRig(2);
  const begun = primary.start(new AbortController().signal);
  await at(0).serve();
  at(1).say({ kind: 'hello' });
  await clock.pass(299_000);
  t.same(at(1).killed, []);
  await clock.pass(1_000);
  t.same(at(1).killed, ['SIGKILL']);
  t.match(events.at(-1), ['late', { worker: 2, pid: 1002, waitedMs: 300_000 }]);
  await at(1).end({ code: null, signal: 'SIGKILL' });
  t.match(await begun, { address: '127.0.0.1:8400' }, 'the others serve');
  await clock.pass(1_000);
  t.equal(forks.length, 3);
  await at(2).serve();
  await clock.pass(301_000);
  t.equal(events.filter(([name]) => name === 'late').length, 1, 'one that serves has no such limit');
});
