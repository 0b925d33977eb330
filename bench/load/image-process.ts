/** Clients that pull a whole image, in a process of their own. */
import { answerQuestions } from '../servers/worker.ts';
import { bufferBytes, pull } from './pull.ts';

export interface ImageQuestion {
  readonly origin: string;
  /** The manifest first, then what it names. */
  readonly paths: readonly string[];
  /** How many clients, all starting at once. */
  readonly clients: number;
}

export interface ImagesPulled {
  /** From the start until the last client has everything. */
  readonly totalMs: number;
  /** All bodies together. */
  readonly bytes: number;
}

/** What podman takes at a time. */
const blobsAtOnce = 6;

const buffer = Buffer.alloc(bufferBytes({}));

async function pullImages({ origin, paths, clients }: ImageQuestion): Promise<ImagesPulled> {
  const started = performance.now();
  const bytes = await Promise.all(Array.from({ length: clients }, () => pullImage(origin, paths)));
  return { totalMs: performance.now() - started, bytes: bytes.reduce((sum, each) => sum + each) };
}

/** Resolves to the bytes of all bodies; rejects when one is not whole. */
async function pullImage(origin: string, [manifest = '', ...blobs]: readonly string[]): Promise<number> {
  let bytes = await pullOne(origin, manifest);
  const rest = blobs.values();
  const place = async (): Promise<void> => {
    for (const path of rest) bytes += await pullOne(origin, path);
  };
  await Promise.all(Array.from({ length: blobsAtOnce }, place));
  return bytes;
}

async function pullOne(origin: string, path: string): Promise<number> {
  const { status, isWhole, bytes } = await pull({ origin, path }, { buffer });
  if (status !== 200 || !isWhole) throw new Error(`${origin}${path}: status ${status}, ${bytes} bytes`);
  return bytes;
}

answerQuestions(pullImages);
