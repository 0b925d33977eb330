import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { parseRepository } from '../../src/oci/reference.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import type { Random } from '../chaos/random.ts';
import { patterned } from '../support/registry-contents.ts';

/** Each of them has all blobs, so that one download may be of both. */
export const repositories = [parseRepository('team/app'), parseRepository('team/copy')] as const;
/** Another one, which has none of the blobs. */
export const elsewhere = parseRepository('other/app');
const chunkBytes = 20_000;

/** The registry behind the members: slow, and now and then not to be reached. */
export class ModelUpstream {
  readonly #contents = new Map<Digest, Buffer>();
  readonly #random: Random;
  readonly #sleep: (ms: number) => Promise<void>;

  constructor(random: Random, sleep: (ms: number) => Promise<void>) {
    this.#random = random;
    this.#sleep = sleep;
  }

  blob(size: number): Digest {
    const bytes = patterned(size, `${this.#contents.size}`);
    const digest = digestOf(bytes);
    this.#contents.set(digest, bytes);
    return digest;
  }

  reader(): Upstream {
    const unknown = async (): Promise<undefined> => undefined;
    const contents = this.#contents;
    const [random, sleep] = [this.#random, this.#sleep];
    return {
      ...{ name: 'quay.io', hasRanges: true, tags: unknown, referrers: unknown, forwardBlob: unknown },
      manifest: async () => ({ kind: 'absent' }),
      isReachable: async () => true,
      close: async () => undefined,
      async statBlob(asked, digest) {
        const bytes = asked === elsewhere ? undefined : contents.get(digest);
        return bytes && { digest, size: bytes.byteLength };
      },
      async openBlob(asked, digest, { start = 0, end } = {}) {
        await sleep(random.below(300));
        if (random.isLucky(0.05)) throw new RegistryError('UNAVAILABLE', 'the upstream cannot be reached');
        const bytes = asked === elsewhere ? undefined : contents.get(digest);
        if (bytes === undefined) return undefined;
        const last = Math.min(end ?? Number.POSITIVE_INFINITY, bytes.byteLength - 1);
        async function* body() {
          for (let at = start; at <= last; at += chunkBytes) {
            await sleep(random.below(200));
            yield bytes?.subarray(at, Math.min(at + chunkBytes, last + 1)) ?? Buffer.of();
          }
        }
        return { size: bytes.byteLength, body: body(), close: () => undefined };
      },
    };
  }
}
