export interface BufferPoolOptions {
  /** Most bytes of all buffers together, in use or kept. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Size of one buffer in bytes. Default 512 KiB: two of them fit a core's own cache, and a megabyte each is a third slower. */
  readonly bufferBytes?: number;
  /** Most bytes kept for the next reader while nobody uses them. Default 8 MiB. */
  readonly spareBytes?: number;
}

/** A bounded supply of large buffers that many readers share. */
export interface BufferPool {
  /** Size of one buffer in bytes. */
  readonly bufferBytes: number;
  /** Bytes that the readers may fill now, two buffers each. */
  readonly usedBytes: number;
  /**
   * A place for one more reader of that file, or undefined when its buffers would pass the limit. Who names the same file must read the
   * same bytes; without a name nothing is shared.
   */
  join(file?: string): Place | undefined;
}

/** A reader's right to two buffers: the one that it hands on, and the one read ahead. */
export interface Place {
  /** What stands at that offset of the file: as somebody reads or has lately read it, else read now. */
  take(offset: number, read: (target: Uint8Array) => Promise<Uint8Array>): Block;
  /** Gives the place back, once, after every block of it was released. */
  leave(): void;
}

/** A piece of a file, in memory for as long as somebody holds it. */
export interface Block {
  readonly offset: number;
  /** Rejects as the reading did. */
  readonly bytes: Promise<Uint8Array>;
  /** One holder less; call it once, and not before `bytes` is settled. */
  release(): void;
}

/** Those who read one file now. */
interface Company {
  readers: number;
  readonly slots: Map<number, Slot>;
}

interface Slot {
  readonly company: Company;
  readonly offset: number;
  readonly buffer: Uint8Array;
  readonly bytes: Promise<Uint8Array>;
  holders: number;
}

/**
 * Buffers are reused: a fresh megabyte for each read costs more in page faults than the read itself. What several readers of a file want at about
 * the same time is read once: a block stays for those who come behind while there are such, and room. A reader that finds it there
 * catches up with the one that had to wait for it, so that a herd keeps together.
 */
export function bufferPool(options: BufferPoolOptions = {}): BufferPool {
  const { maxBytes = 16 * 1024 * 1024, bufferBytes = 512 * 1024, spareBytes = 8 * 1024 * 1024 } = options;
  const companies = new Map<string, Company>();
  /** Held by nobody, the oldest first. */
  const kept = new Set<Slot>();
  const spare: Uint8Array[] = [];
  let usedBytes = 0;
  let madeBytes = 0;

  function freeBuffer(): Uint8Array {
    const [oldest] = kept;
    if (spare.length === 0 && oldest !== undefined && madeBytes + bufferBytes > maxBytes) drop(oldest);
    const buffer = spare.pop();
    if (buffer !== undefined) return buffer;
    madeBytes += bufferBytes;
    return Buffer.allocUnsafeSlow(bufferBytes);
  }

  function drop(slot: Slot): void {
    kept.delete(slot);
    forget(slot);
    if ((spare.length + 1) * bufferBytes <= spareBytes) spare.push(slot.buffer);
    else madeBytes -= bufferBytes;
  }

  function forget(slot: Slot): void {
    if (isKnown(slot)) slot.company.slots.delete(slot.offset);
  }

  function filled(company: Company, offset: number, read: (target: Uint8Array) => Promise<Uint8Array>): Slot {
    const buffer = freeBuffer();
    const slot = { company, offset, buffer, bytes: read(buffer), holders: 0 };
    company.slots.set(offset, slot);
    slot.bytes.catch(() => forget(slot));
    return slot;
  }

  function release(slot: Slot): void {
    slot.holders -= 1;
    if (slot.holders > 0) return;
    if (isWanted(slot)) kept.add(slot);
    else drop(slot);
  }

  return {
    bufferBytes,
    get usedBytes() {
      return usedBytes;
    },
    join(file) {
      if (usedBytes + 2 * bufferBytes > maxBytes) return undefined;
      usedBytes += 2 * bufferBytes;
      const company = (file === undefined ? undefined : companies.get(file)) ?? {
        readers: 0,
        slots: new Map(),
      };
      company.readers += 1;
      if (file !== undefined) companies.set(file, company);
      return {
        take(offset, read) {
          const slot = company.slots.get(offset) ?? filled(company, offset, read);
          slot.holders += 1;
          kept.delete(slot);
          return { offset, bytes: slot.bytes, release: () => release(slot) };
        },
        leave() {
          usedBytes -= 2 * bufferBytes;
          company.readers -= 1;
          if (file !== undefined && company.readers === 0) companies.delete(file);
          for (const slot of kept) if (slot.company === company && !isWanted(slot)) drop(slot);
        },
      };
    },
  };
}

/** Whether somebody may come for it. Who reads alone is better off with the two buffers that a core has in its own cache. */
function isWanted(slot: Slot): boolean {
  return slot.company.readers > 1 && isKnown(slot);
}

/** Whether it is what one gets who asks for that offset now: not when its reading failed. */
function isKnown(slot: Slot): boolean {
  return slot.company.slots.get(slot.offset) === slot;
}
