import { withTimeout } from '../../base/time/wait.ts';

type Probe = () => Promise<boolean>;

interface ReadinessOptions {
  /** How long an answer is believed, in milliseconds. Default 1,000. */
  readonly rememberMs?: number;
  /** Limit of the parts' answers, in ms. Default 900: a kubelet waits for a second. */
  readonly timeoutMs?: number;
  /** How long the first part may be silent before the others are asked, ms. Default 250. */
  readonly patienceMs?: number;
  /** What the parts are called, in the order of their probes. Default: their numbers. */
  readonly names?: readonly string[];
  /**
   * Receives each change of the answer, with what the parts answered by their names: `yes`, `no`,
   * `no answer`, or the text of an error.
   */
  readonly changed?: (event: {
    readonly isReady: boolean;
    readonly parts: Readonly<Record<string, string>>;
  }) => void;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

/**
 * Ready as long as one part can serve: a store without upstreams answers what it holds, an upstream
 * without a store is passed through. The first part is asked alone, and the others side by side
 * once it says no or stays silent. However often it is asked, the parts are asked once in
 * `rememberMs`, and not waited for past `timeoutMs`.
 */
export function readiness(probes: readonly Probe[], options: ReadinessOptions = {}): () => Promise<boolean> {
  const { rememberMs = 1000, timeoutMs = 900, patienceMs = 250, now = () => performance.now() } = options;
  const { names = [], changed } = options;
  let asked: Promise<boolean> | undefined;
  let askedAt = 0;
  let wasReady = true;

  async function askAll(): Promise<boolean> {
    const parts: Record<string, string> = {};
    const named = probes.map((probe, index): Probe => {
      const name = names[index] ?? String(index);
      return () => answerOf(probe, (answer) => Object.assign(parts, { [name]: answer }));
    });
    const isReady = await withTimeout(anySaysYes(named, patienceMs), timeoutMs, () => false);
    if (isReady !== wasReady) changed?.({ isReady, parts: { ...parts } });
    wasReady = isReady;
    return isReady;
  }

  return () => {
    if (asked === undefined || now() - askedAt >= rememberMs) {
      askedAt = now();
      asked = askAll();
    }
    return asked;
  };
}

async function anySaysYes([first, ...others]: readonly Probe[], patienceMs: number): Promise<boolean> {
  if (first === undefined) return false;
  const answer = first();
  if (await withTimeout(answer, patienceMs, () => false)) return true;
  const all = [answer, ...others.map((probe) => probe())];
  return await Promise.any(all.map(onlyYes)).catch(() => false);
}

/** Never rejects. Notes what the part answers; until then, that it does not. */
async function answerOf(probe: Probe, note: (answer: string) => void): Promise<boolean> {
  note('no answer');
  try {
    const isReady = await probe();
    note(isReady ? 'yes' : 'no');
    return isReady;
  } catch (error) {
    note(error instanceof Error ? error.message : String(error));
    return false;
  }
}

async function onlyYes(answer: Promise<boolean>): Promise<true> {
  if (await answer) return true;
  throw new Error('this part cannot serve');
}
