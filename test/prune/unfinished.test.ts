import { test } from 'tap';
import type { PruneProgress } from '../../src/prune/record.ts';
import { Unfinished } from '../../src/prune/unfinished.ts';

function rig({ confirm = true } = {}) {
  const written: string[][] = [];
  const gates: (() => void)[] = [];
  const unread: string[] = [];
  const record = {
    read: async () => ({ ranges: [], failed: new Map([['old', '500']]) }),
    write({ failed }: PruneProgress) {
      written.push([...failed.keys()]);
      return new Promise<void>((resolve) => gates.push(resolve));
    },
  };
  const events = { unread: (what: string) => void unread.push(what) };
  return { unfinished: new Unfinished({ record, events, confirm }), record, written, gates, unread };
}

test('one write runs at a time, and the next one has all that was noted meanwhile', async (t) => {
  const { unfinished, written, gates } = rig();
  await unfinished.read();
  unfinished.owe(['a']);
  const first = unfinished.saved();
  await Promise.resolve();
  unfinished.owe(['b']);
  const second = unfinished.saved();
  unfinished.forget('old');
  const third = unfinished.saved();
  t.same(written, [['old', 'a']]);
  gates[0]?.();
  await first;
  await Promise.resolve();
  gates[1]?.();
  await Promise.all([second, third]);
  t.same(written.at(-1), ['a', 'b']);
  t.equal(written.length, 2);
  await unfinished.saved();
  t.equal(written.length, 2, 'nothing has changed');
});

test('a dry run writes no record, and one that cannot be written stops nothing', async (t) => {
  const dry = rig({ confirm: false });
  dry.unfinished.owe(['a']);
  await dry.unfinished.saved();
  t.same(dry.written, []);
  const { unfinished, record, unread } = rig();
  record.write = () => Promise.reject(new Error('the disk is full'));
  unfinished.owe(['a']);
  await unfinished.saved();
  t.same(unread, ['the record of this job']);
});
