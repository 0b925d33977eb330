import { test } from 'tap';
import { type RoomShare, SpoolRoom } from '../../../src/cache/fills/spool-room.ts';

const mib = 1024 * 1024;

/**
 * Room of so many MiB under a clock that stands still until it is moved; `gaveWay` names who had
 * to.
 */
function roomOf(mebibytes: number) {
  let now = 0;
  let taken = 0;
  const gaveWay: string[] = [];
  const room = new SpoolRoom({
    maxBytes: mebibytes * mib,
    now: () => now,
    changed: (bytes) => {
      taken = bytes;
    },
  });
  return {
    gaveWay,
    taken: () => taken / mib,
    pass(ms: number) {
      now += ms;
    },
    enter: (name: string, size: number | undefined, isSpare = false) =>
      room.enter(size, (why) => void gaveWay.push(`${name}: ${why}`), { isSpare }),
    share(name: string, size?: number, isSpare = false): RoomShare {
      const share = room.enter(size, (why) => void gaveWay.push(`${name}: ${why}`), { isSpare });
      if (typeof share === 'string') throw new Error(share);
      return share;
    },
  };
}

test('room is taken as bytes come, a step ahead, and no more than the blob has', async (t) => {
  const { share, taken } = roomOf(100);
  const large = share('large', 50 * mib);
  share('small', mib / 2);
  t.equal(taken(), 1.5);
  large.grow(mib + 1);
  t.ok(taken() <= 3.5);
  large.release();
  large.release();
  t.equal(taken(), 0.5);
});

test('one blob has at most half, whether it says so or not', async (t) => {
  const { enter, share, taken } = roomOf(100);
  t.equal(enter('huge', 50 * mib + 1), 'too-large');
  const unstated = share('unstated');
  t.equal(unstated.grow(50 * mib), undefined);
  t.equal(unstated.grow(50 * mib + 1), 'too-large');
  t.equal(taken(), 0);
});

test('when room is scarce the slow one gives way, to a new one as well', async (t) => {
  const { enter, share, gaveWay, pass } = roomOf(10);
  const slow = share('slow', 5 * mib);
  slow.grow(4 * mib);
  const quick = share('quick', 5 * mib);
  quick.grow(3 * mib);
  pass(6_000);
  slow.grow(4 * mib);
  pass(6_000);
  slow.grow(4 * mib + 10_000);
  quick.grow(4 * mib + 1);
  pass(1_000);
  t.type(enter('new', 2 * mib), 'object');
  t.same(gaveWay, ['slow: too-slow']);
  t.equal(slow.grow(4 * mib + 20_000), 'spool-full', 'it has no room any more');
});

test('among quick ones the one with most to come gives way, so that the others end', async (t) => {
  const { share, gaveWay, enter } = roomOf(10);
  const [first, second, third] = [share('a', 5 * mib), share('b', 5 * mib), share('c', 5 * mib)];
  first.grow(4 * mib);
  second.grow(3 * mib);
  t.equal(enter('new', mib), 'spool-full', 'for what has not begun none gives way');
  t.equal(third.grow(1.5 * mib), 'spool-full');
  t.same(gaveWay, ['c: spool-full']);
  t.equal(first.grow(5 * mib), undefined);
  t.equal(second.grow(5 * mib), undefined);
});

test('one that is complete gives way to none', async (t) => {
  const { share, gaveWay, pass, enter } = roomOf(4);
  const done = share('done', 2 * mib);
  done.grow(2 * mib);
  done.complete();
  const other = share('other', 2 * mib);
  other.grow(2 * mib);
  other.complete();
  pass(60_000);
  t.equal(enter('new', mib), 'spool-full');
  t.same(gaveWay, []);
});

test('what could be had elsewhere gives way first, complete or not, and takes no more than half', async (t) => {
  const { enter, share, gaveWay } = roomOf(10);
  const done = share('done', 2 * mib, true);
  done.grow(2 * mib);
  done.complete();
  const growing = share('growing', 3 * mib, true);
  growing.grow(2 * mib);
  t.equal(enter('more', 2 * mib, true), 'spool-full');
  const download = share('download', 5 * mib);
  t.equal(download.grow(5 * mib), undefined);
  t.same(gaveWay, []);
  t.type(enter('new', 4 * mib), 'object');
  t.same(gaveWay, ['done: spool-full']);
  t.equal(growing.grow(3 * mib), undefined);
  t.equal(share('last', 2 * mib).grow(2 * mib), undefined);
  t.same(gaveWay, ['done: spool-full', 'growing: spool-full']);
});
