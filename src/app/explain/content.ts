import { join } from 'node:path';
import { readMember } from '../../cache/members/member-records.ts';
import type { Config } from '../../config/load.ts';
import type { ContentSource } from '../../explain/sources.ts';
import { collected } from '../../oci/content.ts';
import { maxManifestBytes } from '../../oci/manifest.ts';
import type { Store } from '../../store/store.ts';

/** Where the content is kept, for people. No credential is in it. */
export function storeText({ store }: Pick<Config, 'store'>): string {
  if ('filesystem' in store) return `store, ${join(store.filesystem.path)}`;
  return 's3' in store ? `store, bucket ${store.s3.bucket}` : 'store in memory';
}

/** What a medium holds, without counting it as used. A store in memory is its server's alone. */
export function createContentSource(
  config: Pick<Config, 'store'>,
  { blobs, records }: Pick<Store, 'blobs' | 'records'>,
  isOurs: boolean,
): ContentSource {
  return {
    where: storeText(config),
    isReadable: isOurs || !('memory' in config.store),
    async read(digest) {
      const content = await blobs.open(digest);
      if (content === undefined) return undefined;
      try {
        return await collected(content.body, maxManifestBytes);
      } finally {
        await content.close();
      }
    },
    stat: async (digest) => (await blobs.stat(digest))?.size,
    async member({ upstream, repository }, digest) {
      const entry = await readMember(records, { upstream, repository }, digest);
      return entry === undefined || entry.isDoubtful ? undefined : { tags: entry.tags, seenAt: entry.seenAt };
    },
  };
}
