import { sleep } from '../../base/time/wait.ts';
import type { ByteRange } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { UpstreamRequest, UpstreamResponse } from '../../upstream/exchange.ts';
import type { DigestCheck } from '../verify/digest-check.ts';
import { answered, type NodeContext, received } from './exchange.ts';
import { LoadFailure } from './failure.ts';
import { hitClassOf } from './hit-class.ts';
import { cut } from './manifests.ts';
import { repositoryPath, urlOf } from './target.ts';

interface LoadedBlob {
  readonly repository: string;
  readonly digest: Digest;
  /** As its manifest says, bytes; below 0: unknown. */
  readonly size: number;
  readonly sinceMs: number;
}

/** The URL of a blob at the target. */
function urlOfBlob({ target }: NodeContext, { repository, digest }: LoadedBlob): URL {
  return urlOf(target, `/v2/${repositoryPath(target, repository)}/blobs/${digest}`);
}

function askFor(url: URL, range?: string): UpstreamRequest {
  const headers = range === undefined ? {} : { headers: { range } };
  return { kind: 'blob', method: 'GET', url, isDownload: true, ...headers };
}

/**
 * Receives a whole blob, resumed as the client does, and has its digest checked behind. Resolves to
 * the class of its first answer.
 */
export async function blobOf(node: NodeContext, asked: LoadedBlob): Promise<string> {
  const url = urlOfBlob(node, asked);
  const check = node.checks.begin(asked.digest);
  try {
    const { hitClass, bytes, resumes } = await wholeBlob(node, asked, url, check);
    node.recorder.asked(asked.digest, bytes);
    node.recorder.latency('layer', hitClass, node.now() - asked.sinceMs);
    concluded(node, { ...asked, url, bytes, resumes }, check);
    return hitClass;
  } catch (error) {
    check.drop();
    throw error;
  }
}

interface BlobProgress {
  bytes: number;
  breaks: number;
  lastBreakMs: number;
  lastBreakBytes: number;
}

async function wholeBlob(
  node: NodeContext,
  asked: LoadedBlob,
  url: URL,
  check: DigestCheck,
): Promise<{ readonly hitClass: string; readonly bytes: number; readonly resumes: number }> {
  const progress: BlobProgress = { bytes: 0, breaks: 0, lastBreakMs: node.now(), lastBreakBytes: 0 };
  let hitClass: string | undefined;
  for (;;) {
    const { bytes: start } = progress;
    const range = start === 0 ? undefined : `bytes=${start}-`;
    const answer = await answered(node, askFor(url, range), [start === 0 ? 200 : 206]);
    hitClass ??= hitClassOf(answer);
    const body = await received(node, answer, check.write);
    if (start === 0 && body.firstAtMs !== undefined)
      node.recorder.latency('firstByte', hitClass, body.firstAtMs - asked.sinceMs);
    progress.bytes += body.bytes;
    const isShort = asked.size >= 0 && progress.bytes < asked.size;
    if (body.failure === undefined && !isShort)
      return { hitClass, bytes: progress.bytes, resumes: progress.breaks };
    if (!mayResume(node, progress)) throw cut(body.failure, `GET ${url.pathname}`);
    node.recorder.retried();
    await sleep(0, node.signal);
  }
}

function mayResume({ manners, now }: NodeContext, progress: BlobProgress): boolean {
  const atMs = now();
  progress.breaks += 1;
  const { breaks, bytes, lastBreakBytes, lastBreakMs } = progress;
  progress.lastBreakBytes = bytes;
  progress.lastBreakMs = atMs;
  return manners.mayResume(breaks, bytes - lastBreakBytes, atMs - lastBreakMs);
}

interface ReceivedBlob extends LoadedBlob {
  readonly url: URL;
  readonly bytes: number;
  readonly resumes: number;
}

/** Not waited for: the load goes on while threads compute. The end of the load waits for all. */
function concluded(node: NodeContext, blob: ReceivedBlob, check: DigestCheck): void {
  if (!node.checks.isOn) return;
  const concluding = checked(node, blob, check).finally(() => node.checking.delete(concluding));
  node.checking.add(concluding);
}

async function checked(node: NodeContext, blob: ReceivedBlob, check: DigestCheck): Promise<void> {
  const { recorder, now } = node;
  const { url, digest, bytes, resumes } = blob;
  const where = `GET ${url.pathname}`;
  try {
    const isRight = await check.end();
    recorder.verified(bytes);
    if (isRight) return;
    recorder.wrong({ url: url.href, digest, bytes, atMs: now(), ...(resumes > 0 ? { resumes } : {}) });
    recorder.error('wrong bytes', `${where}: the bytes are not those of ${digest}`, now());
  } catch (error) {
    recorder.error('not verified', `${where}: ${String(error)}`, now());
  }
}

/** One part of a blob, as a lazy puller reads it; unverified, since a part has no digest. */
export async function rangeOf(
  node: NodeContext,
  asked: LoadedBlob,
  { start, end }: ByteRange,
): Promise<string> {
  const url = urlOfBlob(node, asked);
  const where = `GET ${url.pathname} bytes=${start}-${end}`;
  const answer: UpstreamResponse = await answered(node, askFor(url, `bytes=${start}-${end}`), [206, 200]);
  if (answer.status === 200) {
    answer.body.destroy();
    throw new LoadFailure('range ignored', `${where}: status 200`);
  }
  const hitClass = hitClassOf(answer);
  const { bytes, firstAtMs, failure } = await received(node, answer, () => undefined);
  if (failure !== undefined || bytes !== end - start + 1) throw cut(failure, where);
  node.recorder.asked(asked.digest, asked.size);
  if (firstAtMs !== undefined) node.recorder.latency('firstByte', hitClass, firstAtMs - asked.sinceMs);
  node.recorder.latency('range', hitClass, node.now() - asked.sinceMs);
  return hitClass;
}
