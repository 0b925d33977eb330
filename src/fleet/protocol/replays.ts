import { createLru } from '../../base/state/lru.ts';

interface AskerWindow {
  /** The highest number that came. */
  last: number;
  /** Which of the numbers up to that came, a bit each, in a ring. */
  readonly bits: Uint32Array;
}

/** Questions that are overtaken by more of the same asker are refused: 8 KB for each asker. */
const windowSize = 65_536;
const wordBits = 32;
/** Processes that asked within the time in which a question is believed. */
const mostAskers = 1_000;

/**
 * Which questions came, so that a copy of one gets no answer. Each asker numbers its own: a window
 * over the numbers, as in RFC 4303 section 3.4.3, needs no memory that grows with the questions.
 */
export class Replays {
  readonly #windows: ReturnType<typeof createLru<string, AskerWindow>>;

  /** Questions are believed for `keepMs`, milliseconds. */
  constructor(keepMs: number) {
    this.#windows = createLru(mostAskers, { keepMs });
  }

  /** Whether the question of that number comes for the first time. */
  isFirst(asker: string, number: number): boolean {
    const window = this.#windows.get(asker) ?? { last: number, bits: new Uint32Array(windowSize / wordBits) };
    this.#windows.set(asker, window);
    if (number <= window.last - windowSize) return false;
    this.#advance(window, number);
    const { word, bit } = placeOf(number);
    const before = window.bits[word] ?? 0;
    window.bits[word] = before | bit;
    return (before & bit) === 0;
  }

  /** Numbers between the highest so far and this one have not come yet. */
  #advance(window: AskerWindow, number: number): void {
    if (number - window.last >= windowSize) window.bits.fill(0);
    else
      for (let passed = window.last + 1; passed <= number; passed += 1) {
        const { word, bit } = placeOf(passed);
        window.bits[word] = (window.bits[word] ?? 0) & ~bit;
      }
    window.last = Math.max(window.last, number);
  }
}

function placeOf(number: number): { readonly word: number; readonly bit: number } {
  const at = number % windowSize;
  return { word: Math.floor(at / wordBits), bit: 1 << (at % wordBits) };
}
