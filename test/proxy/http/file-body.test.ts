import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { mock } from 'node:test';
import { test } from 'tap';
import { sendFile } from '../../../src/proxy/http/file-body.ts';
import type { StoredFile } from '../../../src/store/stored-file.ts';

const range = { start: 0, end: 9 };
const sent = (): void => {};
const here = new AbortController().signal;

function response(): ServerResponse {
  return new ServerResponse(new IncomingMessage(new Socket()));
}

test('the head goes out after two seconds while the disk hangs', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const begun: boolean[] = [];
  const begin = (isReady: boolean): void => void begun.push(isReady);
  const hanging: StoredFile = { sendTo: () => new Promise(() => {}), close: () => {} };
  void sendFile(response(), hanging, { range, signal: here, begin, sent });
  mock.timers.tick(1_999);
  t.same(begun, []);
  mock.timers.tick(1);
  t.same(begun, [false]);
  t.end();
});

test('a file that cannot be read at all leaves head and body to another source', async (t) => {
  const begun: boolean[] = [];
  const begin = (isReady: boolean): void => void begun.push(isReady);
  let isClosed = false;
  const broken: StoredFile = {
    sendTo: () => Promise.reject(new Error('EIO')),
    close: () => {
      isClosed = true;
    },
  };
  const outcome = await sendFile(response(), broken, { range, signal: here, begin, sent });
  t.match(outcome, { position: 0, error: { message: 'EIO' } });
  t.same(begun, []);
  t.ok(isClosed);
});
