import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { AnswerReader, type ReadAnswer } from './answers.ts';
import type { Script } from './script.ts';

/** What became of a connection. */
export interface Played {
  readonly answers: readonly ReadAnswer[];
  /** Why the bytes that came are no HTTP. */
  readonly fault?: string;
  /** Neither all answers nor the end came in time. */
  readonly isHung: boolean;
}

const patienceMs = 15_000;

/** Plays the script against `host:port`. Throws nothing, and leaves nothing open. */
export async function played(script: Script, { host, port }: Address): Promise<Played> {
  const reader = new AnswerReader(methodsOf(script));
  const socket = connect({ host, port, allowHalfOpen: true }).on('error', () => {});
  const gone = once(socket, 'close').catch(() => undefined);
  const answered = Promise.withResolvers<void>();
  const wanted = wantedAnswers(script);
  read(socket, script, reader, () => reader.count >= wanted && answered.resolve());
  const late = new AbortController();
  const hung = pause(patienceMs, true, { signal: late.signal }).catch(() => false);
  const ended = (async () => {
    await written(socket, script);
    if (script.ending.kind === 'answered') await Promise.race([answered.promise, gone]);
    else await left(socket, script.ending);
    return false;
  })();
  const isHung = await Promise.race([ended, hung]);
  late.abort();
  socket.destroy();
  await gone;
  const { fault } = reader;
  return { answers: reader.answers(), isHung, ...(fault === undefined ? {} : { fault }) };
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Up to the garbage: what is refused of that has a body, whatever follows it. */
function methodsOf({ pieces }: Script): readonly string[] {
  const end = pieces.findIndex(({ expected }) => expected === undefined);
  return pieces.slice(0, end < 0 ? undefined : end).map(({ expected }) => expected?.method ?? 'GET');
}

/**
 * What follows garbage, or the last answer of a connection, is not answered. With garbage the
 * server ends it.
 */
function wantedAnswers({ pieces }: Script): number {
  const end = pieces.findIndex(({ expected, isLast }) => expected === undefined || isLast === true);
  if (end < 0) return pieces.length;
  return pieces[end]?.expected === undefined ? Number.POSITIVE_INFINITY : end + 1;
}

function read(socket: Socket, { readPauseMs }: Script, reader: AnswerReader, progressed: () => void): void {
  if (readPauseMs === 'never') return;
  socket.on('data', (chunk: Buffer) => {
    reader.push(chunk);
    progressed();
    if (readPauseMs === 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), readPauseMs);
  });
  // The connection is half open on our side: its end is the server's.
  socket.once('end', () => socket.destroy());
}

async function written(socket: Socket, { writes }: Script): Promise<void> {
  for (const { bytes, pauseMs } of writes) {
    if (socket.destroyed) return;
    socket.write(bytes);
    if (pauseMs > 0) await pause(pauseMs);
  }
}

async function left(socket: Socket, ending: Exclude<Script['ending'], { kind: 'answered' }>): Promise<void> {
  const { kind, afterMs } = ending;
  await pause(afterMs);
  if (kind === 'reset') socket.resetAndDestroy();
  if (kind !== 'half-closed') return;
  socket.end();
  await pause(afterMs);
}
