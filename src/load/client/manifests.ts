import { type Digest, isDigest, isNamedBy } from '../../oci/digest.ts';
import { acceptManifests, type Manifest, manifestOrNone, maxManifestBytes } from '../../oci/manifest.ts';
import { type Reference, referenceText } from '../../oci/reference.ts';
import { headerOf } from '../../upstream/exchange.ts';
import { answered, type NodeContext, received } from './exchange.ts';
import { LoadFailure, toLoadFailure } from './failure.ts';
import { hitClassOf } from './hit-class.ts';
import { repositoryPath, urlOf } from './target.ts';

/** A manifest that a node received, whole and checked. */
export interface LoadedManifest {
  readonly manifest: Manifest | undefined;
  readonly hitClass: string;
}

interface WantedManifest {
  readonly repository: string;
  readonly reference: Reference;
  /** From when its latency counts, milliseconds since the start of the load. */
  readonly sinceMs: number;
}

function urlOfManifest({ target }: NodeContext, { repository, reference }: WantedManifest): URL {
  return urlOf(target, `/v2/${repositoryPath(target, repository)}/manifests/${referenceText(reference)}`);
}

/** What a tag stands for, by HEAD, as containerd asks. */
export async function resolved(node: NodeContext, asked: WantedManifest): Promise<Digest> {
  const url = urlOfManifest(node, asked);
  const headers = { accept: acceptManifests };
  const answer = await answered(node, { kind: 'manifest', method: 'HEAD', url, headers }, [200]);
  node.recorder.latency('manifest', hitClassOf(answer), node.now() - asked.sinceMs);
  const digest = headerOf(answer, 'docker-content-digest');
  if (isDigest(digest)) return digest;
  throw new LoadFailure('no digest', `HEAD ${url.pathname}: the answer has no Docker-Content-Digest`);
}

/** A manifest by GET, checked against the digest that was asked for, or that the answer states. */
export async function manifestOf(node: NodeContext, asked: WantedManifest): Promise<LoadedManifest> {
  const url = urlOfManifest(node, asked);
  const where = `GET ${url.pathname}`;
  const headers = { accept: acceptManifests };
  const answer = await answered(node, { kind: 'manifest', method: 'GET', url, headers }, [200]);
  const hitClass = hitClassOf(answer);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const { firstAtMs, failure } = await received(node, answer, (chunk) => {
    size += chunk.byteLength;
    if (size <= maxManifestBytes) chunks.push(new Uint8Array(chunk));
    return undefined;
  });
  if (failure !== undefined) throw cut(failure, where);
  node.recorder.latency('firstByte', hitClass, (firstAtMs ?? node.now()) - asked.sinceMs);
  node.recorder.latency('manifest', hitClass, node.now() - asked.sinceMs);
  const bytes = Buffer.concat(chunks);
  const stated = headerOf(answer, 'docker-content-digest');
  const digest = asked.reference.digest ?? (isDigest(stated) ? stated : undefined);
  if (digest !== undefined) checkNow(node, { digest, bytes, url });
  return { manifest: manifestOrNone(bytes, headerOf(answer, 'content-type')), hitClass };
}

/** A manifest is small, and read here anyway. Throws for one that is wrong. */
function checkNow(
  { checks, recorder, now }: NodeContext,
  { digest, bytes, url }: { readonly digest: Digest; readonly bytes: Uint8Array; readonly url: URL },
): void {
  recorder.asked(digest, bytes.byteLength);
  if (!checks.isOn) return;
  recorder.verified(bytes.byteLength);
  if (isNamedBy(digest, bytes)) return;
  recorder.wrong({ url: url.href, digest, bytes: bytes.byteLength, atMs: now() });
  throw new LoadFailure('wrong bytes', `GET ${url.pathname}: the bytes are not those of ${digest}`);
}

/** A body that broke off, whatever the client then does. */
export function cut(failure: unknown, where: string): LoadFailure {
  const { kind, message } = toLoadFailure(failure, where);
  return new LoadFailure(kind === 'timeout' ? 'timeout' : 'cut', `${message} (the body broke off)`, failure);
}
