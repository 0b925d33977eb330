import type { ReadAnswer } from './answers.ts';
import type { Expected, Piece } from './pieces.ts';
import type { Played } from './play.ts';
import type { Script } from './script.ts';

/** What is wrong with how a script was answered; undefined for nothing. */
export function faultOf(
  { pieces, writes, ending }: Script,
  { answers, fault, isHung }: Played,
): string | undefined {
  if (fault !== undefined) return fault;
  if (isHung) return `hangs after ${answers.length} answers`;
  const end = pieces.findIndex(({ expected, isLast }) => expected === undefined || isLast === true);
  const last = end < 0 ? undefined : pieces[end];
  const answerable = end < 0 ? pieces : pieces.slice(0, end + 1);
  // Of garbage behind a head, such as a body that is no body, both may be refused.
  const garbage = last?.expected === undefined ? last : undefined;
  const wrong = answers.map((answer, index) => answerFault(answer, answerable[index] ?? garbage, index));
  const first = wrong.find((text) => text !== undefined);
  if (first !== undefined) return first;
  // A server that closes while bytes come resets the connection, and answers not yet read are lost.
  const isReset = pieces.length > answerable.length || (garbage !== undefined && writes.length > 1);
  if (ending.kind !== 'answered' || isReset || isCut(last)) return undefined;
  const wanted = answerable.filter(({ expected }) => expected !== undefined).length;
  const whole = answers.filter(({ isWhole }) => isWhole).length;
  return whole < wanted ? `${whole} of ${wanted} answers` : undefined;
}

function answerFault(
  { status, body, isWhole }: ReadAnswer,
  piece: Piece | undefined,
  index: number,
): string | undefined {
  const what = `answer ${index} (${piece?.what ?? 'to nothing'}): `;
  if (piece === undefined) return `${what}${status}`;
  if (status >= 500) return `${what}${status} ${body.toString('latin1').slice(0, 200)}`;
  const { expected } = piece;
  if (expected === undefined) return status < 400 ? `${what}${status}` : undefined;
  if (!expected.statuses.includes(status)) return `${what}${status}, not ${expected.statuses.join(' or ')}`;
  return isRight(expected, body, isWhole) ? undefined : `${what}wrong body of ${body.byteLength} bytes`;
}

function isRight({ body: wanted }: Expected, body: Buffer, isWhole: boolean): boolean {
  if (wanted === undefined) return true;
  return isWhole ? body.equals(wanted) : body.equals(wanted.subarray(0, body.byteLength));
}

/** Node closes a connection that asks for a tunnel, whatever is under way on it. */
function isCut(last: Piece | undefined): boolean {
  return last?.bytes.subarray(0, 7).equals(Buffer.from('CONNECT')) === true;
}
