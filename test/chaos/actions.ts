import { digestOf } from '../../src/oci/digest.ts';
import type { Random } from './random.ts';
import { type MovingTag, otherThan, type Piece, type World } from './world.ts';

/** What one client does. */
export interface Action {
  readonly method: 'GET' | 'HEAD';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What it asks for; a tag's meaning is found in the answer; undefined for what is not there. */
  readonly wants: Piece | MovingTag | undefined;
  /** It hangs up once it has this many bytes of the body. */
  readonly leavesAfter?: number;
  /** Its pause after each chunk, milliseconds; the first forty of them. */
  readonly pauseMs?: number;
}

/** Something that a client may do. */
export function randomAction(random: Random, world: World): Action {
  const dice = random.next();
  if (dice < 0.1) return absentAction(random, world);
  if (dice < 0.3) return tagAction(random, world);
  return pieceAction(random, random.pick(world.pieces));
}

/** A plain GET of one piece, to its end. */
export function wholePull(piece: Piece): Action {
  return {
    method: 'GET',
    path: pathOf(piece.repository, piece.kind, piece.digest),
    headers: {},
    wants: piece,
  };
}

/** A plain GET of a tag. */
export function tagPull(wants: MovingTag): Action {
  return { method: 'GET', path: pathOf(wants.repository, 'manifests', wants.tag), headers: {}, wants };
}

function absentAction(random: Random, world: World): Action {
  const method = random.pick(['GET', 'HEAD'] as const);
  const { kind, repository, digest } = random.pick(world.foreign);
  const unknown = digestOf(Buffer.from(`never pushed ${random.below(50)}`));
  const path = random.pick([
    pathOf(otherThan(repository), kind, digest),
    pathOf(repository, kind, unknown),
    pathOf(repository, 'manifests', `missing-${random.below(50)}`),
  ]);
  return { method, path, headers: {}, wants: undefined };
}

function tagAction(random: Random, world: World): Action {
  const wants = random.pick(world.tags);
  const known = random.pick(wants.meanings).digest;
  return {
    ...tagPull(wants),
    method: random.pick(['GET', 'HEAD'] as const),
    headers: random.isLucky(0.3) ? { 'if-none-match': `"${known}"` } : {},
  };
}

function pieceAction(random: Random, piece: Piece): Action {
  return {
    ...wholePull(piece),
    method: random.isLucky(0.2) ? 'HEAD' : 'GET',
    headers: piece.kind === 'blobs' ? blobHeaders(random, piece) : knownHeader(random, piece),
    ...(random.isLucky(0.15) ? { leavesAfter: random.below(piece.bytes.length + 1) } : {}),
    ...(random.isLucky(0.1) ? { pauseMs: 1 + random.below(8) } : {}),
  };
}

function blobHeaders(random: Random, piece: Piece): Record<string, string> {
  if (random.isLucky(0.4)) return knownHeader(random, piece);
  const parts = random.isLucky(0.7) ? 1 : 1 + random.below(6);
  const specs = Array.from({ length: parts }, () => rangeText(random, piece.bytes.length));
  const range = random.isLucky(0.03) ? 'bytes=x-y' : `bytes=${specs.join(random.pick([',', ', ']))}`;
  const etag = random.pick([`"${piece.digest}"`, '"another"']);
  return { range, ...(random.isLucky(0.3) ? { 'if-range': etag } : {}) };
}

/** Mostly within the content; now and then past its end, whole, or the wrong way round. */
function rangeText(random: Random, size: number): string {
  const first = random.below(Math.ceil(size * 1.05) + 2);
  switch (random.below(5)) {
    case 0:
      return `${first}-`;
    case 1:
      return `-${random.below(size + 20)}`;
    case 2:
      return `${first}-${first + random.below(2_000)}`;
    case 3:
      return `${Math.max(0, size - 1 - random.below(3))}-${size + random.below(10)}`;
    default:
      return `${first}-${random.below(size + 2)}`;
  }
}

function knownHeader(random: Random, { digest }: Piece): Record<string, string> {
  if (random.isLucky(0.8)) return {};
  return { 'if-none-match': random.pick([`"${digest}"`, `W/"${digest}"`, '"another"', `"x", "${digest}"`]) };
}

function pathOf(repository: string, kind: string, reference: string): string {
  return `/v2/${repository}/${kind}/${reference}`;
}
