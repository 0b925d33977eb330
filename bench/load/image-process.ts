/** Clients that pull a whole image, in a process of their own. */
import { answerQuestions } from '../servers/worker.ts';
import { Connections } from './connection.ts';
import { bufferBytes } from './pull.ts';

export interface ImageQuestion {
  readonly origin: string;
  /** Servers to which clients are dealt in turn. Default: all ask `origin`. */
  readonly origins?: readonly string[];
  /** The manifest first, then what it names. */
  readonly paths: readonly string[];
  /** How many clients, all starting at once. */
  readonly clients: number;
  /** Further header lines, such as a login. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether each client asks for one path after the other. Default: six at a time. */
  readonly isInTurn?: boolean;
  /** Whether clients may fail, and are counted. Default: the first one is an error. */
  readonly mayFail?: boolean;
}

export interface ImagesPulled {
  /** From the start until the last client has everything. */
  readonly totalMs: number;
  /** All bodies together. */
  readonly bytes: number;
  /** From the start of a client to the first byte of a blob; the median. */
  readonly firstByteMs: number;
  /** Clients that did not get everything. */
  readonly failures: number;
}

/** What podman takes at a time. */
const blobsAtOnce = 6;

const buffer = Buffer.alloc(bufferBytes({}));

async function pullImages(question: ImageQuestion): Promise<ImagesPulled> {
  const started = performance.now();
  const { origin, origins = [origin], clients } = question;
  const pulled = await Promise.all(
    Array.from({ length: clients }, (_, index) =>
      pullImage({ ...question, origin: origins[index % origins.length] ?? origin }),
    ),
  );
  const failed = pulled.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  if (failed[0] !== undefined && question.mayFail !== true) throw new Error(failed[0]);
  const firsts = pulled.map(({ firstByteMs }) => firstByteMs).sort((a, b) => a - b);
  return {
    totalMs: performance.now() - started,
    bytes: pulled.reduce((sum, { bytes }) => sum + bytes, 0),
    firstByteMs: firsts[Math.floor(firsts.length / 2)] ?? 0,
    failures: failed.length,
  };
}

interface ImagePulled {
  readonly bytes: number;
  readonly firstByteMs: number;
  readonly failure?: string;
}

/** All of one image, the manifest first. */
async function pullImage({ origin, paths, headers = {}, isInTurn }: ImageQuestion): Promise<ImagePulled> {
  const started = performance.now();
  const [path = '', ...blobs] = paths;
  const failures: string[] = [];
  let bytes = 0;
  let firstByteMs = 0;
  const connections = new Connections(buffer);
  const take = async (each: string): Promise<void> => {
    const before = performance.now();
    const pulled = await connections.followed({ origin, path: each, headers });
    bytes += pulled.bytes;
    if (each !== path && firstByteMs === 0) firstByteMs = before - started + pulled.firstByteMs;
    if (pulled.status !== 200 || !pulled.isWhole)
      failures.push(`${origin}${each}: status ${pulled.status}, ${pulled.bytes} bytes`);
  };
  await take(path);
  const rest = blobs.values();
  const place = async (): Promise<void> => {
    for (const each of rest) await take(each);
  };
  if (failures.length === 0)
    await Promise.all(Array.from({ length: isInTurn === true ? 1 : blobsAtOnce }, place));
  connections.close();
  return { bytes, firstByteMs, ...(failures[0] === undefined ? {} : { failure: failures[0] }) };
}

answerQuestions(pullImages);
