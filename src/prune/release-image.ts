import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { field, jsonOrNone, listOf, textOf } from '../base/text/json.ts';
import { type Digest, digester, isDigest, isMatch } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { Reference } from '../oci/reference.ts';
import type { PrunePlace } from './place.ts';

/** An image that a release payload is made of. */
interface PayloadComponent {
  readonly name: string;
  /** The repository that the payload names it in, such as `quay.io/openshift/ci`. */
  readonly repository: string;
  readonly digest: Digest;
}

/** Where a release image has the list of its components. */
const listFile = 'release-manifests/image-references';
/** The list of a release is some 100 KB. */
const maxListBytes = 16 * 1024 * 1024;
const blockBytes = 512;

/**
 * The components of a release payload that are named by digest. Reads layers from the last one on,
 * until one has the list; of an index the first image. Throws `RegistryError`, and for a payload
 * without a list.
 */
export async function payloadComponents(
  place: Pick<PrunePlace, 'reader' | 'repository'>,
  reference: Reference,
  signal: AbortSignal,
): Promise<readonly PayloadComponent[]> {
  const found = await place.reader.manifest(place.repository, reference, { signal });
  if (found.kind !== 'found' || found.bytes === undefined)
    throw new RegistryError('MANIFEST_UNKNOWN', 'the payload does not exist');
  const { children, blobs } = parseManifest(found.bytes, found.descriptor.mediaType);
  const [first] = children;
  if (first !== undefined) return payloadComponents(place, { digest: first.digest }, signal);
  for (const { digest } of blobs.slice(1).reverse()) {
    const list = await listIn(place, digest, signal);
    if (list !== undefined) return componentsIn(jsonOrNone(list));
  }
  throw new RegistryError('MANIFEST_INVALID', `no layer of it has ${listFile}`);
}

function componentsIn(list: unknown): readonly PayloadComponent[] {
  const tags = listOf(field(field(list, 'spec'), 'tags'));
  if (tags.length === 0) throw new RegistryError('MANIFEST_INVALID', `its ${listFile} names no component`);
  return tags.flatMap((tag) => {
    const name = textOf(field(tag, 'name'));
    const [repository = '', digest] = textOf(field(field(tag, 'from'), 'name'))?.split('@') ?? [];
    return name !== undefined && isDigest(digest) ? [{ name, repository, digest }] : [];
  });
}

/** The bytes of the list; undefined in a layer without one. The layer's digest is checked. */
async function listIn(
  { reader, repository }: Pick<PrunePlace, 'reader' | 'repository'>,
  digest: Digest,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const blob = await reader.openBlob(repository, digest, { signal });
  if (blob === undefined) throw new RegistryError('BLOB_UNKNOWN', `the payload lacks its layer ${digest}`);
  const hash = digester(digest);
  const hashed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of blob.body) {
      const own = new Uint8Array(chunk);
      hash.update(own);
      yield own;
    }
  };
  try {
    let list: Uint8Array | undefined;
    await pipeline(hashed, createGunzip(), async (bytes: AsyncIterable<Buffer>) => {
      list = await fileInTar(bytes, listFile);
    });
    if (isMatch(hash, digest)) return list;
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof RegistryError) throw cause;
    throw new RegistryError('UPSTREAM_INVALID', `the layer ${digest} is no tar.gz`, { cause });
  } finally {
    blob.close();
  }
  throw new RegistryError('UPSTREAM_INVALID', `the bytes of the layer ${digest} have another digest`);
}

/** A regular file of a tar (POSIX ustar), read to the end of the stream. Undefined without it. */
async function fileInTar(bytes: AsyncIterable<Uint8Array>, wanted: string): Promise<Uint8Array | undefined> {
  let buffered = Buffer.alloc(0);
  let skip = 0;
  let take: { readonly size: number; readonly chunks: Buffer[]; left: number } | undefined;
  let found: Buffer | undefined;
  for await (const chunk of bytes) {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      if (take !== undefined) {
        const part = buffered.subarray(0, take.left);
        take.chunks.push(part);
        take.left -= part.length;
        buffered = buffered.subarray(part.length);
        if (take.left > 0) break;
        found = Buffer.concat(take.chunks);
        skip = padding(take.size);
        take = undefined;
      }
      const passed = Math.min(skip, buffered.length);
      skip -= passed;
      buffered = buffered.subarray(passed);
      if (skip > 0 || buffered.length < blockBytes) break;
      const { name, size, isFile } = headerIn(buffered.subarray(0, blockBytes));
      buffered = buffered.subarray(blockBytes);
      if (isFile && name === wanted && size <= maxListBytes) take = { size, chunks: [], left: size };
      else skip = size + padding(size);
    }
  }
  return found;
}

function headerIn(block: Buffer) {
  const text = (start: number, length: number): string =>
    block
      .subarray(start, start + length)
      .toString('latin1')
      .split('\0', 1)[0] ?? '';
  const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
  const name = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
  const size = Number.parseInt(text(124, 12).trim() || '0', 8);
  const kind = text(156, 1);
  if (Number.isNaN(size)) throw new Error('a header of the tar has no size');
  return { name: name.startsWith('./') ? name.slice(2) : name, size, isFile: kind === '' || kind === '0' };
}

function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}
