import type { Random } from '../chaos/random.ts';
import { garbage, type Piece, request, type Target } from './pieces.ts';

/**
 * How a client ends its connection: when it has all answers, or at a time of its own, in one of
 * three ways.
 */
type Ending =
  | { readonly kind: 'answered' }
  | { readonly kind: 'destroyed' | 'reset' | 'half-closed'; readonly afterMs: number };

/** What one client does with one connection. */
export interface Script {
  readonly pieces: readonly Piece[];
  /** What it writes at a time, and how long it then waits. */
  readonly writes: readonly { readonly bytes: Buffer; readonly pauseMs: number }[];
  readonly ending: Ending;
  /** Reads nothing for so long after each chunk, milliseconds; `never` reads nothing at all. */
  readonly readPauseMs: number | 'never';
}

const mostPieces = 10;

/** A script by chance; the same chance writes the same one. */
export function script(random: Random, target: Target): Script {
  const count = 1 + random.below(random.isLucky(0.5) ? 3 : mostPieces);
  const requests = Array.from({ length: count }, () => request(random, target));
  const end = requests.findIndex(({ mustEnd }) => mustEnd === true);
  const pieces: Piece[] = end < 0 ? requests : requests.slice(0, end + 1);
  if (random.isLucky(0.25) && end < 0) pieces.push(garbage(random));
  if (random.isLucky(0.1) && end < 0) pieces.push(request(random, target));
  const ending = endingOf(random);
  const isPatient = ending.kind === 'answered';
  return {
    pieces,
    writes: writesOf(random, Buffer.concat(pieces.map(({ bytes }) => bytes))),
    ending,
    readPauseMs: random.pick([0, 0, 0, 1, isPatient ? 2 : 'never']),
  };
}

/** In a few words, for debugging. */
export function scriptText({ pieces, writes, ending, readPauseMs }: Script): string {
  const end = ending.kind === 'answered' ? 'answered' : `${ending.kind} after ${ending.afterMs} ms`;
  return `${pieces.map(({ what }) => what).join(' | ')} (${writes.length} writes, ${end}, reads ${readPauseMs})`;
}

function endingOf(random: Random): Ending {
  if (random.isLucky(0.5)) return { kind: 'answered' };
  const kind = random.pick(['destroyed', 'reset', 'half-closed'] as const);
  return { kind, afterMs: random.pick([0, 1, 3, 10, 30, 100]) };
}

/** All at once mostly, which is what makes a pipeline; else cut anywhere. */
function writesOf(random: Random, bytes: Buffer): Script['writes'] {
  if (random.isLucky(0.6)) return [{ bytes, pauseMs: 0 }];
  const cuts = Array.from({ length: 1 + random.below(6) }, () => random.below(bytes.byteLength));
  const edges = [0, ...cuts.sort((left, right) => left - right), bytes.byteLength];
  return edges.slice(1).map((end, index) => ({
    bytes: bytes.subarray(edges[index], end),
    pauseMs: random.pick([0, 0, 1, 5]),
  }));
}
