import type { Bytes, Descriptor } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import {
  createRegistryWriter,
  type RegistryWriter,
  type WriterOptions,
} from '../../../src/upstream/push/writer.ts';
import { patterned } from '../../support/registry-contents.ts';
import { type RegistryDouble, registryDouble } from '../../support/registry-double.ts';
import { eventsInto } from '../rig.ts';

export interface WriterRig {
  readonly registry: RegistryDouble;
  readonly writer: RegistryWriter;
  readonly events: string[];
}

/** A registry double and a writer to it without jitter; both end with the test. */
export async function writerRig(
  t: { teardown(done: () => unknown): void },
  options: Partial<WriterOptions> = {},
): Promise<WriterRig> {
  const registry = await registryDouble();
  const events: string[] = [];
  const writer = createRegistryWriter({
    name: 'registry.test',
    url: registry.url,
    allowPrivateAddresses: true,
    random: () => 0,
    smallBytes: 64 * 1024,
    events: eventsInto(events),
    ...options,
  });
  t.teardown(async () => {
    await writer.close();
    await registry.close();
  });
  return { registry, writer, events };
}

interface Source {
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
  /** The offsets at which it was opened. */
  readonly opened: number[];
  open(start: number): Promise<Bytes>;
}

/** A blob that is read in chunks of one buffer, overwritten for each, as stores do. */
export function lentSource(size: number, seed = 'pushed', chunkBytes = 40_000): Source {
  const bytes = patterned(size, seed);
  const opened: number[] = [];
  return {
    bytes,
    descriptor: { digest: digestOf(bytes), size },
    opened,
    async open(start) {
      opened.push(start);
      return lent(bytes, start, chunkBytes);
    },
  };
}

async function* lent(
  bytes: Buffer,
  start: number,
  chunkBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = Buffer.alloc(chunkBytes);
  for (let offset = start; offset < bytes.length; offset += chunkBytes) {
    const length = bytes.copy(buffer, 0, offset, offset + chunkBytes);
    yield buffer.subarray(0, length);
    buffer.fill(0);
  }
}

/** The requests of a push as `METHOD what status`, sessions and digests left out. */
export function pushes(registry: RegistryDouble): string[] {
  return registry.requests.map(({ method, path, status }) => {
    const kind = /\/(uploads|manifests|blobs|token)(?:\/|$)/.exec(
      path.replace('/blobs/uploads', '/uploads'),
    )?.[1];
    return `${method} ${kind} ${status}`;
  });
}
