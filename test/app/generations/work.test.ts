import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { HandedWork } from '../../../src/app/generations/work.ts';

/** Work of values that are sets of parts, with ends that the test lets come. */
function workRig() {
  const did: string[] = [];
  const without = (one: string, other = '') => [...one].filter((part) => !other.includes(part));
  let stopping: PromiseWithResolvers<void> | undefined;
  const work = new HandedWork<string>({
    start: (next, before) => void did.push(...without(next, before).map((part) => `+${part}`)),
    async stop(before, next) {
      await stopping?.promise;
      did.push(...without(before, next).map((part) => `-${part}`));
    },
  });
  return {
    ...{ work, did },
    holdStops: () => {
      stopping = Promise.withResolvers();
      return stopping.resolve;
    },
  };
}

test('work ends before that of the next begins, and what both have goes on', async (t) => {
  const { work, did } = workRig();
  work.begin('ab');
  await work.hand('ab', 'bc');
  t.same(did, ['+a', '+b', '-a', '+c']);
});

test('work that is first begun while values change begins once', async (t) => {
  const { work, did, holdStops } = workRig();
  const go = holdStops();
  const handed = work.hand('a', 'b');
  work.begin('b');
  const last = work.hand('b', 'bc');
  go();
  await Promise.all([handed, last]);
  t.same(did, ['-a', '+b', '+c']);
});

test('where nothing was begun, nothing begins when values change, nor after the end', async (t) => {
  const { work, did } = workRig();
  await work.hand('a', 'b');
  t.same(did, ['-a']);
  work.begin('b');
  await work.end();
  work.begin('b');
  await turn();
  t.same(did, ['-a'], 'also what was to begin just before');
});
