import { type Descriptor, ManifestMismatch } from '../../oci/content.ts';
import { type Algorithm, algorithmOf, type Digest, digestOf, isDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import {
  acceptManifests,
  isManifestType,
  type Manifest,
  maxManifestBytes,
  parseManifest,
} from '../../oci/manifest.ts';
import { type Reference, type Repository, referenceText } from '../../oci/reference.ts';
import type { ManifestAnswer, ManifestOptions } from '../../oci/registry-reader.ts';
import { isSignedSchema1, namedBytes } from '../../oci/schema1.ts';
import {
  contentLength,
  discard,
  headerLines,
  headerOf,
  type UpstreamRequest,
  type UpstreamResponse,
  wholeBody,
} from '../exchange.ts';
import { refusedBy } from '../resilience/retry.ts';
import { replyOf, replyWith } from '../resilience/words.ts';
import type { Connection } from './connection.ts';

type Found = Extract<ManifestAnswer, { readonly kind: 'found' }>;

/** Asks for a manifest; see Upstream.manifest. A HEAD that does not say enough becomes a GET. */
export async function askManifest(
  connection: Connection,
  repository: Repository,
  reference: Reference,
  options: ManifestOptions = {},
): Promise<ManifestAnswer> {
  const { method = 'GET', etag, signal, isUrgent = false } = options;
  const ask: UpstreamRequest = {
    kind: 'manifest',
    method,
    url: connection.urlOf(`/v2/${repository}/manifests/${referenceText(reference)}`),
    isUrgent,
    headers: { accept: acceptManifests, ...(etag === undefined ? {} : { 'if-none-match': etag }) },
    ...(signal === undefined ? {} : { signal }),
  };
  if (method === 'GET') return connection.tried(ask, (answer) => readManifest(answer, ask, reference));
  const stated = await connection.tried(ask, (answer) => readHead(answer, ask, reference));
  if (stated !== undefined) return stated;
  const full = await connection.tried({ ...ask, method: 'GET' }, (answer) =>
    readManifest(answer, ask, reference),
  );
  return full.kind === 'found' ? withoutBytes(full) : full;
}

async function readManifest(
  answer: UpstreamResponse,
  ask: UpstreamRequest,
  reference: Reference,
): Promise<ManifestAnswer> {
  if (isAbsent(answer)) return { kind: 'absent', reply: await replyOf(answer) };
  const other = withoutContent(answer, ask);
  if (other !== undefined) return other;
  if (answer.status !== 200) throw await refusedBy(answer);
  const bytes = await wholeBody(answer, maxManifestBytes);
  const manifest = await parsedFrom(answer, bytes);
  const { mediaType } = manifest;
  const stated = statedDigest(answer) ?? taggedDigest(answer);
  const digest = checkedDigest(namedBytes(bytes, mediaType), stated, reference);
  return found(answer, { digest, size: bytes.byteLength, mediaType }, { bytes, manifest });
}

/** What is no manifest is quoted in the log: mostly the page of a portal on the way. */
async function parsedFrom(answer: UpstreamResponse, bytes: Uint8Array): Promise<Manifest> {
  try {
    return parseManifest(bytes, headerOf(answer, 'content-type'));
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const { code, message, detail } = error;
    const reply = await replyWith(answer, bytes);
    throw new RegistryError(code, message, { detail, cause: error, reply });
  }
}

/**
 * What a HEAD says; undefined when a GET would say more, as of a signed schema 1 manifest: only its
 * document shows the digest, which the registry took from what was pushed.
 */
function readHead(
  answer: UpstreamResponse,
  ask: UpstreamRequest,
  reference: Reference,
): ManifestAnswer | undefined {
  const other = withoutContent(answer, ask);
  if (other !== undefined) return other;
  const digest = statedDigest(answer);
  const size = contentLength(answer);
  const mediaType = headerOf(answer, 'content-type')?.split(';', 1)[0]?.trim();
  if (answer.status !== 200 || digest === undefined || size === undefined || size === 0) return undefined;
  if (mediaType === undefined || !isManifestType(mediaType) || size > maxManifestBytes) return undefined;
  if (isSignedSchema1({ mediaType })) return undefined;
  if (reference.digest === undefined) return found(answer, { digest, size, mediaType });
  if (algorithmOf(digest) === algorithmOf(reference.digest) && digest !== reference.digest) throw lie();
  return found(answer, { digest: reference.digest, size, mediaType });
}

function withoutContent(answer: UpstreamResponse, ask: UpstreamRequest): ManifestAnswer | undefined {
  const isUnchanged = answer.status === 304 && ask.headers?.['if-none-match'] !== undefined;
  if (!isUnchanged && !isAbsent(answer)) return undefined;
  discard(answer);
  return { kind: isUnchanged ? 'unchanged' : 'absent' };
}

function isAbsent({ status, isOfStorage }: UpstreamResponse): boolean {
  return status === 404 && isOfStorage !== true;
}

/** The requested or known digest of the manifest; the bytes match it and the stated one. */
function checkedDigest(bytes: Uint8Array, stated: Digest | undefined, reference: Reference): Digest {
  const computed = new Map<Algorithm, Digest>();
  for (const expected of [stated, reference.digest]) {
    if (expected === undefined) continue;
    const algorithm = algorithmOf(expected);
    const actual = computed.get(algorithm) ?? digestOf(bytes, algorithm);
    computed.set(algorithm, actual);
    if (actual !== expected) throw lie();
  }
  return reference.digest ?? stated ?? digestOf(bytes);
}

function statedDigest(answer: UpstreamResponse): Digest | undefined {
  const text = headerOf(answer, 'docker-content-digest');
  return isDigest(text) ? text : undefined;
}

/** An entity tag that is a digest, as in docker-registry: it would confirm wrong bytes. */
function taggedDigest(answer: UpstreamResponse): Digest | undefined {
  const text = headerOf(answer, 'etag')?.replaceAll('"', '');
  return isDigest(text) ? text : undefined;
}

function found(
  answer: UpstreamResponse,
  descriptor: Descriptor & { readonly mediaType: string },
  content: { readonly bytes?: Uint8Array; readonly manifest?: Manifest } = {},
): Found {
  const etag = headerOf(answer, 'etag');
  return {
    kind: 'found',
    descriptor,
    ...content,
    ...(etag === undefined ? {} : { etag }),
    warnings: headerLines(answer, 'warning'),
  };
}

function withoutBytes({ bytes: _bytes, manifest: _manifest, ...rest }: Found): Found {
  return rest;
}

function lie(): RegistryError {
  const message = 'the upstream answered with a manifest that does not match its digest';
  return new ManifestMismatch('UPSTREAM_INVALID', message);
}
