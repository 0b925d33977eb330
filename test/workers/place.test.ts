import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import type { ToPrimary, ToWorker } from '../../src/workers/messages.ts';
import { workerPlace } from '../../src/workers/place.ts';
import { createManualClock } from '../support/manual-clock.ts';

const welcome = {
  ...{ number: 2, count: 2, isOnDuty: false, started: undefined, settings: undefined },
  ...{ directory: '/run', key: 'k', tokenSecret: 's', instance: 'i' },
};

async function placeRig() {
  const said: ToPrimary[] = [];
  let tell: (message: ToWorker) => void = () => undefined;
  const clock = createManualClock();
  const channel = {
    send: (message: ToPrimary) => void said.push(message),
    onMessage: (heard: (message: ToWorker) => void) => {
      tell = heard;
    },
    onLost: () => undefined,
    unref: () => undefined,
  };
  const waiting = workerPlace(channel, clock);
  tell({ kind: 'welcome', welcome });
  return { place: await waiting, said, clock, tell: (message: ToWorker) => tell(message) };
}

test('a worker says hello first, and has its place by the answer', async (t) => {
  const { place, said } = await placeRig();
  t.same(said, [{ kind: 'hello' }]);
  t.equal(place.name, 'worker-2');
});

test('a worker learns who serves, when to stop, when to look again, and when it is on duty', async (t) => {
  const { place, tell } = await placeRig();
  const heard: unknown[] = [];
  place.followNames((names) => heard.push(names));
  tell({ kind: 'workers', names: ['worker-1', 'worker-2'] });
  const end = place.onHangup(() => heard.push('hangup'));
  tell({ kind: 'hangup' });
  end();
  tell({ kind: 'hangup' });
  place.onDuty(() => heard.push('duty'));
  tell({ kind: 'duty' });
  tell({ kind: 'stop', reason: 'SIGTERM' });
  t.same(heard, [[], ['worker-1', 'worker-2'], 'hangup', 'duty']);
  t.match(place.stopping.reason, { message: 'SIGTERM' });
});

test('others count as not ready when the primary does not answer', async (t) => {
  const { place, said, tell, clock } = await placeRig();
  const first = place.areOthersReady();
  await turn();
  const asked = said.at(-1);
  if (asked?.kind === 'ask') tell({ kind: 'answer', id: asked.id, value: true });
  t.equal(await first, true);
  const second = place.areOthersReady();
  await clock.pass(900);
  t.equal(await second, false);
});

test('failed requests are passed on, a hundred a second, unless this worker is on duty', async (t) => {
  const { place, said, tell, clock } = await placeRig();
  const request = { id: 'x', at: 0, method: 'GET', path: '/', host: 'h', status: 500, message: 'm' };
  const passedOn = () => said.filter(({ kind }) => kind === 'failure').length;
  for (let count = 0; count < 150; count += 1) place.failed(request);
  t.equal(passedOn(), 100);
  await clock.pass(1_001);
  place.failed(request);
  t.equal(passedOn(), 101);
  tell({ kind: 'duty' });
  place.failed(request);
  t.equal(passedOn(), 101);
});

/** A worker that prepares what it is told to, unless that is refused. */
async function reloadRig() {
  const rig = await placeRig();
  const did: string[] = [];
  rig.place.reloadBy({
    async prepare(settings) {
      if (settings === 'bad') throw new Error('no such file');
      did.push(`prepare ${settings}`);
      const discard = async (): Promise<void> => void did.push(`discard ${settings}`);
      return { take: () => void did.push(`take ${settings}`), discard };
    },
    pending: (settings, refused) => void did.push(`pending ${settings} ${refused}`),
  });
  const prepare = async (settings: string): Promise<unknown> => {
    rig.tell({ kind: 'ask', id: 1, question: 'prepare', settings });
    await turn();
    const answer = rig.said.at(-1);
    return answer?.kind === 'answer' ? answer.value : answer;
  };
  return { ...rig, did, prepare };
}

test('settings are prepared, and taken or dropped as the primary decides', async (t) => {
  const { prepare, tell, did } = await reloadRig();
  t.equal(await prepare('a'), true);
  tell({ kind: 'decide', isTaken: true });
  t.equal(await prepare('b'), true);
  tell({ kind: 'decide', isTaken: false });
  t.equal(await prepare('bad'), 'no such file');
  tell({ kind: 'decide', isTaken: false });
  tell({ kind: 'pending', settings: ['listen'], refused: 'why' });
  t.same(did, ['prepare a', 'take a', 'prepare b', 'discard b', 'pending listen why']);
});

test('what the primary did not wait for is dropped before the next is prepared', async (t) => {
  const { prepare, did } = await reloadRig();
  await prepare('a');
  await prepare('b');
  t.same(did, ['prepare a', 'discard a', 'prepare b']);
});

test('a worker that is to take what it has not prepared must not serve on', async (t) => {
  const { tell } = await reloadRig();
  t.throws(() => tell({ kind: 'decide', isTaken: true }), { message: /no settings are prepared/ });
});
