import type { Digest } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { parseReference, parseRepository, type Reference, type Repository } from '../../src/oci/reference.ts';
import type { OpenBlob } from '../../src/oci/registry-reader.ts';
import { createUpstream } from '../../src/upstream/client/client.ts';
import type { UpstreamOptions } from '../../src/upstream/http/options.ts';
import type { Upstream, UpstreamEvents } from '../../src/upstream/upstream.ts';
import { patterned } from '../support/registry-contents.ts';
import {
  type RegistryDouble,
  type RegistryDoubleOptions,
  registryDouble,
} from '../support/registry-double.ts';

interface Rig {
  readonly registry: RegistryDouble;
  readonly upstream: Upstream;
  /**
   * Everything that the upstream reported, as text: `requested blob 200`, `retried status`,
   * `breaker open`.
   */
  readonly events: string[];
}

interface RigOptions extends Partial<UpstreamOptions> {
  readonly double?: RegistryDoubleOptions;
}

interface Test {
  teardown(done: () => unknown): void;
}

export const app: Repository = parseRepository('team/app');
export const v1: Reference = parseReference('v1');

/** A registry double and an upstream that reads from it without jitter; both end with the test. */
export async function rig(t: Test, { double, ...options }: RigOptions = {}): Promise<Rig> {
  const registry = await registryDouble(double);
  const events: string[] = [];
  const upstream = createUpstream({
    name: 'registry.test',
    url: registry.url,
    allowPrivateAddresses: true,
    random: () => 0,
    events: eventsInto(events),
    ...options,
  });
  t.teardown(async () => {
    await upstream.close();
    await registry.close();
  });
  return { registry, upstream, events };
}

/** Events as lines of text. */
export function eventsInto(lines: string[]): UpstreamEvents {
  return {
    requested: ({ kind, status }) => void lines.push(`requested ${kind} ${status}`),
    retried: ({ reason }) => void lines.push(`retried ${reason}`),
    received: ({ bytes }) => void lines.push(`received ${bytes}`),
    wrongContent: ({ kind }) => void lines.push(`wrong ${kind}`),
    breakerChanged: ({ state }) => void lines.push(`breaker ${state}`),
  };
}

/** What the promise was refused with, as code and message; fails when it was not. */
export async function refusalOf(asked: Promise<unknown>): Promise<RegistryError> {
  const answer = await asked.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (answer instanceof RegistryError) return answer;
  throw new Error('it was not refused', { cause: answer });
}

/** The whole body of an opened blob. */
export async function bytesOfBlob(opened: OpenBlob | undefined): Promise<Buffer> {
  if (opened === undefined) throw new Error('the blob is absent');
  const chunks: Uint8Array[] = [];
  for await (const chunk of opened.body) chunks.push(new Uint8Array(chunk));
  return Buffer.concat(chunks);
}

/** A new blob of the app whose bytes differ wherever a wrong offset would matter. */
export function blobIn(
  registry: RegistryDouble,
  size: number,
): { readonly digest: Digest; readonly bytes: Buffer } {
  const bytes = patterned(size, 'blob');
  return { digest: registry.addBlob('team/app', bytes), bytes };
}

/** Opens a blob of the app and reads it. */
export async function pulled(upstream: Upstream, digest: Digest, part?: { start?: number; end?: number }) {
  return bytesOfBlob(await upstream.openBlob(app, digest, part));
}

/** The requests as `METHOD kind status`, the digests and names left out. */
export function lines(registry: RegistryDouble): string[] {
  return registry.requests.map(({ method, path, status, cdn }) => {
    const kind = cdn ? 'cdn' : (/\/(manifests|blobs|tags|referrers)\//.exec(path)?.[1] ?? path);
    return `${method} ${kind} ${status}`;
  });
}
