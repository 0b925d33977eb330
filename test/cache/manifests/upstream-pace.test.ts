import { mock } from 'node:test';
import { test } from 'tap';
import { createUpstreamPace } from '../../../src/cache/manifests/upstream-pace.ts';

test('after one late answer others do not wait, until an answer is in time or 10 s are over', async (t) => {
  let clock = 0;
  const pace = createUpstreamPace(3_000, () => clock);
  const answered = (): [Promise<void>, () => void] => {
    const { promise, resolve } = Promise.withResolvers<void>();
    return [pace.followed(promise), resolve];
  };
  t.equal(pace.patienceMs(), 3_000);
  const [late, answerLate] = answered();
  clock = 4_000;
  answerLate();
  await late;
  t.equal(pace.patienceMs(), 0);
  const [prompt, answerPrompt] = answered();
  answerPrompt();
  await prompt;
  t.equal(pace.patienceMs(), 3_000);
  await t.rejects(pace.followed(Promise.reject(new Error('refused'))));
  t.equal(pace.patienceMs(), 3_000, 'a refusal is an answer');
});

test('a question that is never answered counts from the moment when it is late', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  let clock = 0;
  const pace = createUpstreamPace(5, () => clock);
  void pace.followed(new Promise(() => undefined));
  mock.timers.tick(5);
  t.equal(pace.patienceMs(), 0);
  clock = 10_001;
  t.equal(pace.patienceMs(), 5);
});

test('a clock that is set back makes no upstream slow for longer', async (t) => {
  let clock = 86_400_000;
  const pace = createUpstreamPace(3_000, () => clock);
  const { promise, resolve } = Promise.withResolvers<void>();
  void pace.followed(promise);
  clock += 4_000;
  resolve();
  await promise;
  t.equal(pace.patienceMs(), 0);
  clock = 0;
  t.equal(pace.patienceMs(), 0);
  clock = 10_001;
  t.equal(pace.patienceMs(), 3_000);
});
