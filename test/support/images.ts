/** Images made from a seed, what is attached to them, and their push by plain HTTP. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  families,
  type GeneratedImage,
  type GeneratedManifest,
  indexOf,
  manifestOf,
} from '../../src/load/images/generated-image.ts';
import { type GeneratedBlob, heldBlob, wholeOf } from '../../src/load/images/random-blobs.ts';
import type { Bytes, Descriptor } from '../../src/oci/content.ts';
import type { Digest } from '../../src/oci/digest.ts';

export {
  type GeneratedImage,
  type GeneratedManifest,
  generatedImage,
  type ImageOptions,
} from '../../src/load/images/generated-image.ts';

const emptyType = 'application/vnd.oci.empty.v1+json';

/**
 * A manifest with one small blob that is attached to `subject` (distribution-spec, "Listing
 * Referrers").
 */
export function generatedArtifact(options: {
  readonly subject: Descriptor;
  readonly artifactType: string;
  /** Decides the payload. Default: the artifact type. */
  readonly seed?: string;
}): GeneratedImage {
  const { subject, artifactType } = options;
  const config = heldBlob(Buffer.from('{}'), emptyType);
  const payload = heldBlob(
    Buffer.from(`${options.seed ?? artifactType} of ${subject.digest}\n`),
    artifactType,
  );
  const { root } = manifestOf(families.oci.manifest, {
    artifactType,
    config: config.descriptor,
    layers: [payload.descriptor],
    subject,
  });
  const manifest = { ...root, artifactType };
  return { root: manifest, manifests: [manifest], blobs: [config, payload] };
}

/**
 * The tag under which clients keep referrers in a registry without the API, such as docker-registry
 * 2.8.
 */
export function referrersTag(subject: Digest): string {
  return subject.replace(':', '-');
}

/** The index that belongs under referrersTag. */
export function referrersIndex(artifacts: readonly GeneratedImage[]): GeneratedImage {
  const index = indexOf(
    artifacts.map(({ root }) => root),
    families.oci.index,
  );
  return { root: index, manifests: [], index, blobs: [] };
}

interface PushOptions {
  /** The `Authorization` header as it is: `Basic …` or `Bearer …`. */
  readonly authorization?: string;
}

/**
 * Pushes by the distribution spec's monolithic upload: blobs that are not there yet, manifests,
 * then the root under `tag` (under its digest alone without one). `registryUrl` is an origin such
 * as `http://127.0.0.1:5000`.
 */
export async function pushImage(
  registryUrl: string,
  repository: string,
  tag: string | undefined,
  image: GeneratedImage,
  options: PushOptions = {},
): Promise<void> {
  const base = `${registryUrl.replace(/\/$/, '')}/v2/${repository}`;
  for (const blob of image.blobs) await pushBlob(base, blob, options);
  for (const manifest of image.manifests)
    await pushManifest(base, manifest.descriptor.digest, manifest, options);
  await pushManifest(base, tag ?? image.root.descriptor.digest, image.root, options);
}

async function pushBlob(base: string, blob: GeneratedBlob, options: PushOptions): Promise<void> {
  const { digest, size } = blob.descriptor;
  const there = await send('HEAD', `${base}/blobs/${digest}`, options);
  if (there.status === 200) return;
  const started = expected(202, await send('POST', `${base}/blobs/uploads/`, options));
  const target = new URL(started.location ?? '', base);
  target.searchParams.set('digest', digest);
  const upload = { bytes: blob.body(), size, mediaType: 'application/octet-stream' };
  expected(201, await send('PUT', target.href, options, upload));
}

async function pushManifest(
  base: string,
  reference: string,
  { descriptor, bytes }: GeneratedManifest,
  options: PushOptions,
): Promise<void> {
  const upload = { bytes: [bytes], size: bytes.byteLength, mediaType: descriptor.mediaType };
  expected(201, await send('PUT', `${base}/manifests/${reference}`, options, upload));
}

interface Upload {
  readonly bytes: Bytes | Iterable<Uint8Array>;
  readonly size: number;
  readonly mediaType: string;
}

interface Answer {
  readonly what: string;
  readonly status: number;
  readonly location: string | undefined;
  readonly text: string;
}

async function send(method: string, url: string, options: PushOptions, upload?: Upload): Promise<Answer> {
  const request = (url.startsWith('https:') ? httpsRequest : httpRequest)(url, {
    method,
    headers: {
      'content-length': upload?.size ?? 0,
      ...(upload === undefined ? {} : { 'content-type': upload.mediaType }),
      ...(options.authorization === undefined ? {} : { authorization: options.authorization }),
    },
  });
  const answered = answerOf(request);
  await Promise.all([answered, pipeline(Readable.from(upload?.bytes ?? []), request)]);
  const response = await answered;
  const text = (await wholeOf(response)).toString();
  return {
    what: `${method} ${url}`,
    status: response.statusCode ?? 0,
    location: response.headers.location,
    text,
  };
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => request.once('response', resolve).once('error', reject));
}

function expected(status: number, answer: Answer): Answer {
  if (answer.status === status) return answer;
  throw new Error(`${answer.what}: expected ${status}, got ${answer.status} ${answer.text.slice(0, 200)}`);
}
