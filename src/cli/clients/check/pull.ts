import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { concurrently } from '../../../base/flow/each.ts';
import { field, jsonOrNone, listOf } from '../../../base/text/json.ts';
import type { Descriptor } from '../../../oci/content.ts';
import { type Digest, digestOf, isDigest } from '../../../oci/digest.ts';
import { RegistryError } from '../../../oci/errors.ts';
import {
  acceptManifests,
  type Manifest,
  maxManifestBytes,
  mediaTypes,
  parseManifest,
} from '../../../oci/manifest.ts';
import type { ImageName } from '../image-name.ts';
import type { Link, LinkFinding } from './link.ts';
import { LinkTrouble } from './link-trouble.ts';
import { type LinkSession, openSession, type SessionOptions } from './session.ts';

export interface PullOptions extends SessionOptions {
  /** `os/architecture[/variant]`: the image of an index that is pulled. */
  readonly platform: string;
  /** Whether layers are read whole and compared with their digests. */
  readonly isDeep: boolean;
}

/** What was pulled so far. */
interface Progress {
  digest?: string;
  hit?: string;
  bytes: number;
  layers: number;
  note: string;
}

const layersAtOnce = 3;
/** A config is a document; the largest are some hundred KB. */
const maxConfigBytes = 16 * 1024 * 1024;

/**
 * Pulls the image from one link as a client does, and keeps nothing: manifests and config whole and
 * compared with their digests, of each layer one byte, or all of them. Rejects only when aborted.
 */
export async function pulled(link: Link, image: ImageName, options: PullOptions): Promise<LinkFinding> {
  const startedAt = performance.now();
  const progress: Progress = { bytes: 0, layers: 0, note: '' };
  const finding = (
    rest: Pick<LinkFinding, 'verdict' | 'step' | 'reason'> & Partial<LinkFinding>,
  ): LinkFinding => {
    const { digest, hit, bytes } = progress;
    const seconds = Math.round(performance.now() - startedAt) / 1000;
    return { ...(digest && { digest }), ...(hit && { hit }), bytes, seconds, ...rest };
  };
  if (link.skipped !== undefined)
    return finding({ verdict: 'skipped', step: 'configuration', reason: link.skipped });
  let session: LinkSession | undefined;
  try {
    session = await openSession(link, options);
    await pullWith(session, { link, image, options, progress });
    const layers = `${progress.layers} layer${progress.layers === 1 ? '' : 's'}`;
    const reason = `manifest, config and ${layers}${options.isDeep ? ', every byte' : ''}${progress.note}`;
    return finding({ verdict: 'ok', step: 'layer', status: 200, reason });
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof LinkTrouble) return finding(error.trouble);
    throw error;
  } finally {
    session?.close();
  }
}

interface Pulling {
  readonly link: Link;
  readonly image: ImageName;
  readonly options: PullOptions;
  readonly progress: Progress;
}

async function pullWith(session: LinkSession, pulling: Pulling): Promise<void> {
  const { image, options, progress } = pulling;
  let found = await manifestAt(session, image.digest ?? image.tag ?? 'latest', pulling);
  progress.digest = found.digest;
  if (isIndex(found.manifest)) {
    const child = childFor(found.bytes, options.platform);
    if (child === undefined) throw wrong('manifest', `the index has no image for ${options.platform}`);
    found = await manifestAt(session, child, pulling);
  }
  const { blobs } = found.manifest;
  const config = field(field(jsonOrNone(found.bytes), 'config'), 'digest');
  for (const blob of blobs) if (blob.digest === config) await wholeConfig(session, blob, pulling);
  const layers = blobs.filter(({ digest }) => digest !== config);
  await concurrently(layers, layersAtOnce, async (layer) => {
    await (options.isDeep ? wholeLayer : firstByte)(session, layer, pulling);
    progress.layers += 1;
  });
}

interface PulledManifest {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly manifest: Manifest;
}

async function manifestAt(
  session: LinkSession,
  reference: string,
  pulling: Pulling,
): Promise<PulledManifest> {
  const { link, progress } = pulling;
  const path = `/${link.repository}/manifests/${reference}`;
  const answer = await session.get({ step: 'manifest', path, headers: { accept: acceptManifests } });
  const bytes = await bytesOf(answer, maxManifestBytes, 'manifest');
  const digest = digestOf(bytes);
  const stated = isDigest(reference) ? reference : answer.headers['docker-content-digest'];
  if (typeof stated === 'string' && stated.startsWith('sha256:') && stated !== digest)
    throw wrong('manifest', `the bytes have the digest ${digest}, not ${stated}`);
  progress.bytes += bytes.byteLength;
  const hit = answer.headers['quayside-cache'];
  if (typeof hit === 'string') progress.hit ??= hit.replaceAll(/[^\w; -]/g, '?').slice(0, 40);
  try {
    return { bytes, digest, manifest: parseManifest(bytes, answer.headers['content-type']) };
  } catch (error) {
    if (error instanceof RegistryError)
      throw wrong('manifest', `the answer is no manifest: ${error.message}`);
    throw error;
  }
}

function isIndex({ mediaType }: Manifest): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;
}

/** The first that fits, as clients choose; the only one where none says what it is for. */
function childFor(index: Buffer, platform: string): string | undefined {
  const [os, architecture, variant] = platform.split('/');
  const children = listOf(field(jsonOrNone(index), 'manifests'));
  const fitting = children.find((child) => {
    const own = field(child, 'platform');
    const isVariant = variant === undefined || field(own, 'variant') === variant;
    return field(own, 'os') === os && field(own, 'architecture') === architecture && isVariant;
  });
  const chosen =
    fitting ??
    (children.length === 1 && field(children[0], 'platform') === undefined ? children[0] : undefined);
  const digest = field(chosen, 'digest');
  return isDigest(digest) ? digest : undefined;
}

async function wholeConfig(
  session: LinkSession,
  config: Descriptor,
  { link, progress }: Pulling,
): Promise<void> {
  const answer = await session.get({ step: 'config', path: blobPath(link, config) });
  const bytes = await bytesOf(answer, maxConfigBytes, 'config');
  if (digestOf(bytes) !== config.digest)
    throw wrong('config', `the bytes of the config have another digest than ${config.digest}`);
  progress.bytes += bytes.byteLength;
}

async function firstByte(
  session: LinkSession,
  layer: Descriptor,
  { link, progress }: Pulling,
): Promise<void> {
  const headers = { range: 'bytes=0-0' };
  const answer = await session.get({ step: 'layer', path: blobPath(link, layer), headers });
  const isPart = answer.statusCode === 206;
  const [, total] = /\/(\d+)$/.exec(answer.headers['content-range'] ?? '') ?? [];
  const stated = isPart ? total : answer.headers['content-length'];
  if (isPart) progress.bytes += (await bytesOf(answer, 1024, 'layer')).byteLength;
  else answer.destroy();
  if (stated !== undefined && Number(stated) !== layer.size)
    throw wrong('layer', `${layer.digest} has ${stated} bytes there, and ${layer.size} by its manifest`);
}

async function wholeLayer(
  session: LinkSession,
  layer: Descriptor,
  { link, progress }: Pulling,
): Promise<void> {
  const answer = await session.get({ step: 'layer', path: blobPath(link, layer) });
  const hash = createHash(layer.digest.startsWith('sha512:') ? 'sha512' : 'sha256');
  await read(answer, 'layer', (chunk) => {
    hash.update(chunk);
    progress.bytes += chunk.byteLength;
  });
  if (!layer.digest.endsWith(`:${hash.digest('hex')}`))
    throw wrong('layer', `the bytes of ${layer.digest} have another digest`);
}

function blobPath({ repository }: Link, { digest }: Descriptor): string {
  return `/${repository}/blobs/${digest}`;
}

async function bytesOf(answer: IncomingMessage, most: number, step: LinkFinding['step']): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  await read(answer, step, (chunk) => {
    size += chunk.byteLength;
    if (size > most) throw wrong(step, `the answer is larger than ${most} bytes`);
    chunks.push(chunk);
  });
  return Buffer.concat(chunks);
}

async function read(
  answer: IncomingMessage,
  step: LinkFinding['step'],
  take: (chunk: Buffer) => void,
): Promise<void> {
  try {
    for await (const chunk of answer) take(Buffer.from(chunk));
  } catch (error) {
    if (error instanceof LinkTrouble) throw error;
    throw new LinkTrouble({ verdict: 'unknown', step, reason: 'the answer was cut off before its end' });
  }
}

function wrong(step: LinkFinding['step'], reason: string): LinkTrouble {
  return new LinkTrouble({ verdict: 'wrong', step, reason });
}
