import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Offer } from '../content.ts';

/**
 * Writes the offer as plain files whose paths are the URLs, for a server that knows nothing of
 * registries.
 */
export async function siteOf(offer: Offer, directory: string): Promise<void> {
  for (const [path, body] of Object.entries(offer.bodies)) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await pipeline(Readable.from(body()), createWriteStream(file));
  }
}
