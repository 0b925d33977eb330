import { withTimeout } from '../../base/wait.ts';

/** Asks one part of us whether it can serve. */
type Probe = () => Promise<boolean>;

interface ReadinessOptions {
  /** How long an answer is believed, in milliseconds. Default 1,000. */
  readonly rememberMs?: number;
  /** Limit of the parts' answers, in ms. Default 900: a kubelet waits for a second. */
  readonly timeoutMs?: number;
  /** How long the first part may be silent before the others are asked, ms. Default 250. */
  readonly patienceMs?: number;
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
  let asked: Promise<boolean> | undefined;
  let askedAt = 0;

  return () => {
    if (asked === undefined || now() - askedAt >= rememberMs) {
      askedAt = now();
      asked = withTimeout(anySaysYes(probes, patienceMs), timeoutMs, () => false);
    }
    return asked;
  };
}

async function anySaysYes([first, ...others]: readonly Probe[], patienceMs: number): Promise<boolean> {
  if (first === undefined) return false;
  const answer = saysYes(first);
  if (await withTimeout(answer, patienceMs, () => false)) return true;
  const all = [answer, ...others.map(saysYes)];
  return await Promise.any(all.map(onlyYes)).catch(() => false);
}

async function saysYes(probe: Probe): Promise<boolean> {
  try {
    return await probe();
  } catch {
    return false;
  }
}

async function onlyYes(answer: Promise<boolean>): Promise<true> {
  if (await answer) return true;
  throw new Error('this part cannot serve');
}
