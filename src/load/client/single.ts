import type { ByteRange } from '../../oci/content.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { acceptManifests } from '../../oci/manifest.ts';
import { discard, headerOf, type UpstreamRequest, type UpstreamResponse } from '../../upstream/exchange.ts';
import type { LoadMeasure } from '../result.ts';
import { answered, type NodeContext, received } from './exchange.ts';
import { LoadFailure } from './failure.ts';
import { hitClassOf } from './hit-class.ts';
import { cut } from './manifests.ts';
import { repositoryPath, urlOf } from './target.ts';

interface SingleAsk {
  readonly method: 'GET' | 'HEAD';
  /** From `/v2/` on. */
  readonly path: string;
  readonly range?: ByteRange;
  readonly sinceMs: number;
}

type PathKind = 'manifests' | 'blobs' | 'other';

/**
 * One request of a trace (`/v2/<name>/manifests/<reference>`, `/v2/<name>/blobs/<digest>`, or any
 * other), timed from when it was due. What has a digest in its path is checked.
 */
export async function requested(node: NodeContext, asked: SingleAsk): Promise<void> {
  const { method, range } = asked;
  const { kind, path, digest } = placeOf(node, asked.path);
  const url = urlOf(node.target, path);
  const headers = {
    ...(kind === 'manifests' ? { accept: acceptManifests } : {}),
    ...(range === undefined ? {} : { range: `bytes=${range.start}-${range.end}` }),
  };
  const ask: UpstreamRequest = {
    kind: kind === 'manifests' ? 'manifest' : 'blob',
    method,
    url,
    headers,
    isDownload: kind === 'blobs' && method === 'GET',
  };
  const answer = await answered(node, ask, [200, 206]);
  const hitClass = hitClassOf(answer);
  if (method === 'HEAD') discard(answer);
  else await read(node, answer, { url, hitClass, kind, digest, sinceMs: asked.sinceMs });
  const measure = method === 'HEAD' && kind !== 'manifests' ? 'other' : measureOf(kind, range);
  node.recorder.latency(measure, hitClass, node.now() - asked.sinceMs);
}

interface Reading {
  readonly url: URL;
  readonly hitClass: string;
  readonly kind: PathKind;
  readonly digest: Digest | undefined;
  readonly sinceMs: number;
}

async function read(node: NodeContext, answer: UpstreamResponse, reading: Reading): Promise<void> {
  const { url, hitClass, kind, sinceMs } = reading;
  const isWhole = answer.status === 200;
  const stated = headerOf(answer, 'docker-content-digest');
  const digest = reading.digest ?? (kind === 'manifests' && isDigest(stated) ? stated : undefined);
  const check = isWhole && digest !== undefined ? node.checks.begin(digest) : undefined;
  const { bytes, firstAtMs, failure } = await received(node, answer, (chunk) => check?.write(chunk));
  if (failure !== undefined) {
    check?.drop();
    throw cut(failure, `GET ${url.pathname}`);
  }
  if (firstAtMs !== undefined && kind !== 'other')
    node.recorder.latency('firstByte', hitClass, firstAtMs - sinceMs);
  if (check === undefined || digest === undefined || !node.checks.isOn) return;
  node.recorder.asked(digest, bytes);
  const isRight = await check.end();
  node.recorder.verified(bytes);
  if (isRight) return;
  node.recorder.wrong({ url: url.href, digest, bytes, atMs: node.now() });
  throw new LoadFailure('wrong bytes', `GET ${url.pathname}: the bytes are not those of ${digest}`);
}

function placeOf(
  { target }: NodeContext,
  path: string,
): { readonly kind: PathKind; readonly path: string; readonly digest: Digest | undefined } {
  const { pathname, search } = new URL(path, target.url);
  const components = pathname.split('/');
  const [kind, last = ''] = components.slice(-2);
  const repository = components.slice(2, -2).join('/');
  if (repository === '') return { kind: 'other', path, digest: undefined };
  const own = `/v2/${repositoryPath(target, repository)}/${kind}/${last}${search}`;
  if (kind !== 'manifests' && kind !== 'blobs') return { kind: 'other', path: own, digest: undefined };
  return { kind, path: own, digest: isDigest(last) ? last : undefined };
}

function measureOf(kind: PathKind, range: ByteRange | undefined): LoadMeasure {
  if (kind === 'manifests') return 'manifest';
  if (kind === 'other') return 'other';
  return range === undefined ? 'layer' : 'range';
}
