/**
 * Where the bytes of a socket arrive, in order: blocks of memory that are used again once their
 * reader is through. A fresh buffer for each read of a socket costs more than the read itself.
 */
export interface ReceiveBuffer {
  /** Bytes that no reader has taken yet. */
  readonly length: number;
  /** Where the next bytes go: never memory that a reader has, or has yet to take. */
  room(): Uint8Array;
  /** So many bytes came to where `room` last said. */
  filled(bytes: number): void;
  /** The oldest bytes, the reader's until the next call; undefined when there are none. */
  take(): Uint8Array | undefined;
}

/** Two of these serve a reader who keeps up. */
const blockBytes = 192 * 1024;
/** With less room than this a socket would be read in small pieces. */
const leastRoom = 64 * 1024;

interface Block {
  readonly bytes: Buffer;
  /** Up to here it was taken, and up to there it is filled. */
  start: number;
  end: number;
}

/** Empty. */
export function createReceiveBuffer(): ReceiveBuffer {
  let filling = block();
  /** Filled, and not taken to their ends; the oldest first. */
  const waiting: Block[] = [];
  let borrowed: Block | undefined;
  let spare: Block | undefined;
  let length = 0;

  const giveBack = (): void => {
    if (borrowed !== undefined && borrowed !== filling && isTaken(borrowed)) spare = borrowed;
    borrowed = undefined;
  };

  return {
    get length() {
      return length;
    },
    room() {
      if (filling.end + leastRoom > blockBytes) {
        if (!isTaken(filling)) waiting.push(filling);
        filling = emptied(spare) ?? block();
        spare = undefined;
      }
      return filling.bytes.subarray(filling.end);
    },
    filled(bytes) {
      filling.end += bytes;
      length += bytes;
    },
    take() {
      giveBack();
      const oldest = waiting.shift() ?? filling;
      if (isTaken(oldest)) return undefined;
      const bytes = oldest.bytes.subarray(oldest.start, oldest.end);
      oldest.start = oldest.end;
      length -= bytes.byteLength;
      borrowed = oldest;
      return bytes;
    },
  };
}

function block(): Block {
  return { bytes: Buffer.allocUnsafeSlow(blockBytes), start: 0, end: 0 };
}

function emptied(used: Block | undefined): Block | undefined {
  if (used !== undefined) {
    used.start = 0;
    used.end = 0;
  }
  return used;
}

function isTaken({ start, end }: Block): boolean {
  return start === end;
}
