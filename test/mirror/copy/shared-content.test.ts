import { test } from 'tap';
import {
  type ContentPlace,
  createSharedContent,
  type OnceOptions,
} from '../../../src/mirror/copy/shared-content.ts';
import { CopyError } from '../../../src/mirror/failure.ts';
import type { Landing } from '../../../src/mirror/images/copy-events.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { app } from '../../support/copy-rig.ts';

const place = placeOf('layer');
const other = { ...place, repository: parseRepository('team/other') };
const gone = new CopyError('blob-unknown', 'unknown blob');

function placeOf(text: string): ContentPlace {
  return { kind: 'blob', registry: 'b.example', repository: app, digest: digestOf(Buffer.from(text)) };
}

function options(changes: Partial<OnceOptions> = {}): OnceOptions {
  return { origin: 'a.example/team/app', mustSend: false, signal: new AbortController().signal, ...changes };
}

/** Work that is over when told, and how often it was begun. */
function work(landing: Landing = 'copied') {
  const { promise, resolve, reject } = Promise.withResolvers<Landing>();
  let begun = 0;
  const begin = (): Promise<Landing> => {
    begun += 1;
    return promise;
  };
  return { begin, end: () => resolve(landing), fail: (error: unknown) => reject(error), begun: () => begun };
}

test('who comes while another is at it waits for that', async (t) => {
  const shared = createSharedContent();
  const [first, second] = [work(), work()];
  const both = [shared.once(place, options(), first.begin), shared.once(place, options(), second.begin)];
  first.end();
  await Promise.all(both);
  await shared.once(place, options(), second.begin);
  t.equal(second.begun(), 0);
});

test('a failure is shared with who would ask the same source', async (t) => {
  const shared = createSharedContent();
  const [first, second] = [work(), work()];
  const leading = shared.once(place, options(), first.begin);
  const following = shared.once(place, options(), second.begin);
  first.fail(gone);
  await t.rejects(leading, gone);
  await t.rejects(following, gone);
  t.equal(second.begun(), 0);
});

test('who has another source tries it', async (t) => {
  const shared = createSharedContent();
  const [first, second] = [work(), work()];
  const leading = shared.once(place, options(), first.begin);
  const following = shared.once(place, options({ origin: 'c.example/app' }), second.begin);
  first.fail(gone);
  second.end();
  await t.rejects(leading, gone);
  await following;
  t.equal(second.begun(), 1);
});

test('who follows one that was given up goes on himself', async (t) => {
  const shared = createSharedContent();
  const [first, second] = [work(), work()];
  const leading = shared.once(place, options(), first.begin);
  const following = shared.once(place, options(), second.begin);
  first.fail(new Error('aborted'));
  second.end();
  await t.rejects(leading, { message: 'aborted' });
  await following;
  t.equal(second.begun(), 1);
});

test('what was found there is not what was sent', async (t) => {
  const shared = createSharedContent();
  const [found, sent, again] = [work('present'), work('copied'), work()];
  found.end();
  sent.end();
  await shared.once(place, options(), found.begin);
  await shared.once(place, options({ mustSend: true }), sent.begin);
  await shared.once(place, options({ mustSend: true }), again.begin);
  t.same([sent.begun(), again.begun()], [1, 0]);
});

test('an upload is known to hold it before those who waited for it look', async (t) => {
  const shared = createSharedContent();
  const sending = shared.send(other, async () => {});
  await shared.sentElsewhere(place);
  t.same(shared.holders(place), [other.repository]);
  await sending;
  t.equal(shared.sentElsewhere(place), undefined);
});

test('what is forgotten is done again, and of too much the oldest is forgotten', async (t) => {
  const shared = createSharedContent(1);
  const [first, second, third, another] = [work(), work(), work(), work()];
  for (const each of [first, second, third, another]) each.end();
  await shared.once(place, options(), first.begin);
  shared.forget(place);
  await shared.once(place, options(), second.begin);
  await shared.once(placeOf('another'), options(), another.begin);
  await shared.once(place, options(), third.begin);
  t.same([first.begun(), second.begun(), third.begun()], [1, 1, 1]);
});
