/** Fills a directory as Quayside fills its store, by the code of Quayside, without an upstream. */
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { concurrently } from '../../src/base/flow/each.ts';
import type { TagPointer } from '../../src/cache/records/freshness.ts';
import { createRepositoryIndex } from '../../src/cache/records/repository-index.ts';
import { bytesOf, type Descriptor } from '../../src/oci/content.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../src/oci/reference.ts';
import { createFilesystemStore } from '../../src/store/filesystem/filesystem-store.ts';
import { blobKey, tagKey } from '../../src/store/keys.ts';
import { answerQuestions } from '../servers/worker.ts';

export interface ContentQuestion {
  /** An empty directory. */
  readonly path: string;
  /** Images of a manifest and a layer each, every one under a tag of one repository. */
  readonly images: number;
  /** How long ago they were stored, seconds. Default: just now. */
  readonly ageSeconds?: number;
}

export interface ContentAnswer {
  readonly blobs: number;
  readonly tags: number;
  readonly bytes: number;
  readonly seconds: number;
}

const scope = { upstream: 'origin', repository: parseRepository('bench/many') };
const atOnce = 32;
const ociLayer = 'application/vnd.oci.image.layer.v1.tar+gzip';

answerQuestions(async ({ path, images, ageSeconds = 0 }: ContentQuestion): Promise<ContentAnswer> => {
  const started = performance.now();
  const store = createFilesystemStore({ path });
  const index = createRepositoryIndex({ records: store.records, maxEntries: 1_000 });
  await index.prepare();
  let bytes = 0;
  const put = async (content: Buffer, mediaType: string): Promise<Descriptor & { mediaType: string }> => {
    const descriptor = { digest: digestOf(content), size: content.byteLength, mediaType };
    await store.blobs.put(descriptor, bytesOf(content));
    const storedAt = Date.now() / 1000 - ageSeconds;
    if (ageSeconds > 0) await utimes(join(path, blobKey(descriptor.digest)), storedAt, storedAt);
    bytes += content.byteLength;
    return descriptor;
  };
  await concurrently(Array(images).keys(), atOnce, async (number) => {
    const tag = parseTag(`component-${String(number).padStart(7, '0')}`);
    const layer = await put(Buffer.from(`layer ${number}`), ociLayer);
    const manifest = await put(Buffer.from(JSON.stringify(manifestOf(layer))), mediaTypes.ociManifest);
    await index.add(scope, [manifest, layer], tag);
    const pointer: TagPointer = { ...manifest, checkedAt: Date.now() };
    await store.records.put(
      tagKey(scope.upstream, scope.repository, tag),
      Buffer.from(JSON.stringify(pointer)),
    );
  });
  await index.settled();
  await index.close();
  await store.close();
  return { blobs: 2 * images, tags: images, bytes, seconds: (performance.now() - started) / 1000 };
});

/** Without a config: nothing pulls it. */
function manifestOf(layer: Descriptor): unknown {
  return { schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [layer] };
}
