import { test } from 'tap';
import { createReceiveBuffer, type ReceiveBuffer } from '../../../src/upstream/download/receive-buffer.ts';
import { seeded } from '../../chaos/random.ts';

/** Byte `n` of the stream. */
const byteAt = (position: number): number => (position * 7 + (position >> 8)) % 251;

function land(received: ReceiveBuffer, position: number, most: number): number {
  const room = received.room();
  const bytes = Math.min(room.byteLength, most);
  for (let index = 0; index < bytes; index += 1) room[index] = byteAt(position + index);
  received.filled(bytes);
  return bytes;
}

test('bytes are taken as they arrived, and borrowed ones stay as they are', async (t) => {
  const chance = seeded(1);
  const received = createReceiveBuffer();
  let written = 0;
  let read = 0;
  let wrong = 0;
  let lent: Uint8Array = new Uint8Array();
  for (let turn = 0; turn < 500; turn += 1) {
    written += land(received, written, 1 + chance.below(70_000));
    for (const [index, byte] of lent.entries())
      if (byte !== byteAt(read - lent.byteLength + index)) wrong += 1;
    if (received.length > 100_000 || chance.isLucky(0.7)) {
      lent = received.take() ?? new Uint8Array();
      read += lent.byteLength;
    }
  }
  t.equal(wrong, 0);
  t.equal(read + received.length, written);
});

test('nothing is given out where nothing arrived', async (t) => {
  const received = createReceiveBuffer();
  t.equal(received.take(), undefined);
  land(received, 0, 10);
  t.equal(received.take()?.byteLength, 10);
  t.equal(received.take(), undefined);
});

test('a reader who keeps up needs two blocks, however much comes', async (t) => {
  const received = createReceiveBuffer();
  const memory = new Set<ArrayBufferLike>();
  for (let turn = 0; turn < 200; turn += 1) {
    memory.add(received.room().buffer);
    received.filled(60_000);
    received.take();
  }
  t.equal(memory.size, 2);
});
