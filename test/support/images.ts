/**
 * Images made from a seed: the same seed gives the same bytes on every machine, incompressible,
 * with layers that real clients unpack (a tar of one file, its `diff_id` right in the config). A
 * large layer is never held in memory: its bytes come from an AES-CTR keystream, once for the
 * digest and again for each reader.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import type { Bytes, Descriptor } from '../../src/oci/content.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import {
  type GeneratedBlob,
  heldBlob,
  streamedBlob,
  type TypedDescriptor,
  tarOfOne,
  wholeOf,
} from './random-blobs.ts';

export interface GeneratedManifest {
  readonly descriptor: TypedDescriptor;
  readonly bytes: Uint8Array;
  /** `linux/amd64` and the like; an index and an artifact have none. */
  readonly platform?: string;
  /** An artifact's own; a list of referrers repeats it. */
  readonly artifactType?: string;
}

export interface GeneratedImage {
  /** What the tag points to: the index where there is one, else the only manifest. */
  readonly root: GeneratedManifest;
  /** One manifest a platform. */
  readonly manifests: readonly GeneratedManifest[];
  readonly index?: GeneratedManifest;
  /** Configs and layers of all platforms, each digest once. */
  readonly blobs: readonly GeneratedBlob[];
}

export interface ImageOptions {
  /** Decides every byte. */
  readonly seed: string;
  /**
   * The size of each layer in bytes, rounded up to a tar's 512. Up to 1 MiB the layer is a tar.gz
   * (and a little larger than said), above that a plain tar of exactly that size.
   */
  readonly layers: readonly number[];
  /** Default: one manifest for `linux/amd64` and no index. Each platform gets layers of its own. */
  readonly platforms?: readonly string[];
  /** Whose media types. */
  readonly mediaTypes: 'oci' | 'docker';
  /** When it says that it was built. Default: at the beginning of the epoch. */
  readonly created?: string;
}

const families = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    tar: 'application/vnd.oci.image.layer.v1.tar',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    tar: 'application/vnd.docker.image.rootfs.diff.tar',
  },
} as const;

const emptyType = 'application/vnd.oci.empty.v1+json';
const largestGzip = 1024 * 1024;

/**
 * An image of random layers; with several platforms an index over them (image-spec, "Image Index").
 */
export async function generatedImage(options: ImageOptions): Promise<GeneratedImage> {
  const platforms = options.platforms ?? ['linux/amd64'];
  const built = await Promise.all(platforms.map((platform) => platformImage(options, platform)));
  const manifests = built.map(({ manifest }) => manifest);
  const blobs = uniqueBlobs(built.flatMap((each) => each.blobs));
  const [first] = manifests;
  if (first === undefined) throw new Error('an image needs a platform');
  if (options.platforms === undefined || manifests.length === 1) return { root: first, manifests, blobs };
  const index = indexOf(manifests, families[options.mediaTypes].index);
  return { root: index, manifests, index, blobs };
}

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

interface Built {
  readonly manifest: GeneratedManifest;
  readonly blobs: readonly GeneratedBlob[];
}

interface Layer {
  readonly blob: GeneratedBlob;
  readonly diffId: Digest;
}

async function platformImage(options: ImageOptions, platform: string): Promise<Built> {
  const types = families[options.mediaTypes];
  const layers: Layer[] = [];
  for (const [index, size] of options.layers.entries()) {
    layers.push(await layerOf(`${options.seed}/${platform}/${index}`, `layer-${index}`, size, types));
  }
  const [os = 'linux', architecture = 'amd64', variant] = platform.split('/');
  const config = heldBlob(
    jsonBytes({
      created: options.created ?? '1970-01-01T00:00:00Z',
      architecture,
      os,
      ...(variant === undefined ? {} : { variant }),
      config: { Labels: { seed: options.seed } },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map((_, index) => ({ created: '1970-01-01T00:00:00Z', created_by: `layer ${index}` })),
    }),
    types.config,
  );
  const blobs = [config, ...layers.map(({ blob }) => blob)];
  const { root } = manifestOf(types.manifest, {
    config: config.descriptor,
    layers: layers.map(({ blob }) => blob.descriptor),
  });
  return { manifest: { ...root, platform }, blobs };
}

async function layerOf(
  seed: string,
  fileName: string,
  size: number,
  types: (typeof families)[keyof typeof families],
): Promise<Layer> {
  const tar = tarOfOne(seed, fileName, size);
  if (tar.size > largestGzip) {
    const blob = await streamedBlob(tar.bytes, tar.size, types.tar);
    return { blob, diffId: blob.descriptor.digest };
  }
  const plain = await wholeOf(tar.bytes(0));
  return { blob: heldBlob(gzipSync(plain, { level: 1 }), types.gzip), diffId: digestOf(plain) };
}

function manifestOf(
  mediaType: string,
  fields: Readonly<Record<string, unknown>>,
): { root: GeneratedManifest } {
  const bytes = jsonBytes({ schemaVersion: 2, mediaType, ...fields });
  return { root: { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength }, bytes } };
}

function indexOf(manifests: readonly GeneratedManifest[], mediaType: string): GeneratedManifest {
  const entries = manifests.map(({ descriptor, platform, artifactType }) => ({
    ...descriptor,
    ...platformField(platform),
    ...(artifactType === undefined ? {} : { artifactType }),
  }));
  return manifestOf(mediaType, { manifests: entries }).root;
}

function platformField(platform: string | undefined): Readonly<Record<string, unknown>> {
  if (platform === undefined) return {};
  const [os, architecture, variant] = platform.split('/');
  return { platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
}

function uniqueBlobs(blobs: readonly GeneratedBlob[]): readonly GeneratedBlob[] {
  return [...new Map(blobs.map((blob) => [blob.descriptor.digest, blob])).values()];
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value, undefined, 2));
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
