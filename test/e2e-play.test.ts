import { access } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { test } from 'tap';
import { played } from './e2e/play.ts';
import type { Scenario } from './e2e/scenario.ts';
import { listening } from './support/listening.ts';
import { stage } from './support/program.ts';

async function play(scenario: Omit<Scenario, 'name' | 'needs'>) {
  const tally = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  const kind = { isLong: false, takesPictures: false, paths: new Map() };
  await played(
    { name: 'x', needs: [], ...scenario },
    { ...kind, tally, print: (line) => void lines.push(line) },
    new AbortController().signal,
  );
  return { tally, text: lines.join('\n') };
}

test('what a scenario has deferred ends, also when its set-up fails', async (t) => {
  const ended: string[] = [];
  let directory = '';
  const { tally, text } = await play({
    async play({ stage: own }) {
      ({ directory } = own);
      own.defer(async () => ended.push('first'));
      own.defer(() => Promise.reject(new Error('cannot end')));
      throw new Error('no set-up');
    },
  });
  t.same(ended, ['first']);
  t.match(tally, { passed: 0, failed: 1 });
  t.match(text, 'no set-up');
  await t.rejects(access(directory));
});

test('a scenario that leaves a server open has failed, and says so', async (t) => {
  let left: Server | undefined;
  t.teardown(() => left?.close());
  const { tally, text } = await play({
    async play({ fact }) {
      left = createServer();
      await listening(left);
      await fact('all is well', () => undefined);
    },
  });
  t.match(tally, { passed: 1, failed: 1 });
  t.match(text, /leaves nothing open.*1 TCPServerWrap/s);
});

test('what never ends keeps nothing else from ending', async (t) => {
  const own = await stage('stuck', 1);
  let isEnded = false;
  own.defer(async () => {
    isEnded = true;
  });
  own.defer(() => new Promise(() => undefined));
  await own.close();
  t.ok(isEnded);
});
