import { createHash } from 'node:crypto';
import { acceptManifests, type Manifest, parseManifest } from '../../src/oci/manifest.ts';
import { bufferBytes, type Pulled, pull } from '../load/pull.ts';

/** What came of pulling an image. */
export interface PulledImage {
  /** The status of the first answer that was not 200, else 200. */
  readonly status: number;
  /** Manifests and blobs that came, every one with the right digest. */
  readonly parts: number;
  readonly bytes: number;
  readonly ms: number;
  /** The `Warning` of the first answer. */
  readonly warning?: string;
  /** The error code of a refusal. */
  readonly code?: string;
}

interface ClientOptions {
  readonly origin: string;
  readonly received: (bytes: number) => void;
}

/**
 * A pull as CRI-O does it: the tag, the manifest of one platform, then config and layers side by
 * side, all checked. Its `User-Agent` says for which platform.
 */
export async function pullImage(
  options: ClientOptions & { readonly repository: string; readonly tag: string; readonly platform: string },
): Promise<PulledImage> {
  const started = performance.now();
  const base = `/v2/${options.repository}`;
  const client = { ...options, userAgent: userAgentOf(options.platform) };
  const root = await manifestAt(client, `${base}/manifests/${options.tag}`);
  if (root.manifest === undefined) return { ...root.facts, parts: 0, ms: performance.now() - started };
  const child = childOf(root.text, options.platform);
  const own = child === undefined ? root : await manifestAt(client, `${base}/manifests/${child}`);
  if (own.manifest === undefined) return { ...own.facts, parts: 1, ms: performance.now() - started };
  const blobs = await Promise.all(
    own.manifest.blobs.map(async ({ digest }) => {
      const pulled = await pullBlob({ ...options, path: `${base}/blobs/${digest}`, isChecked: true });
      return { ...pulled, isRight: pulled.digest === digest };
    }),
  );
  const manifests = child === undefined ? [root] : [root, own];
  return {
    ...root.facts,
    status: blobs.find(({ status }) => status !== 200)?.status ?? 200,
    parts: manifests.length + blobs.filter(({ isRight }) => isRight).length,
    bytes: [...manifests.map(({ facts }) => facts), ...blobs].reduce((sum, { bytes }) => sum + bytes, 0),
    ms: performance.now() - started,
  };
}

/** One blob, or the part that `range` names. */
export function pullBlob(
  options: ClientOptions & { readonly path: string; readonly isChecked?: boolean; readonly range?: string },
): Promise<Pulled> {
  const { origin, path, range, received } = options;
  return pull(
    { origin, path, ...(range === undefined ? {} : { headers: { range } }) },
    {
      buffer: Buffer.alloc(bufferBytes({})),
      received,
      ...(options.isChecked === true ? { hash: createHash('sha256') } : {}),
    },
  );
}

interface FetchedManifest {
  readonly text: string;
  readonly manifest?: Manifest;
  readonly facts: {
    readonly status: number;
    readonly bytes: number;
    readonly warning?: string;
    readonly code?: string;
  };
}

function userAgentOf(platform: string): string {
  const [system, processor] = platform.split('/');
  return `cri-o/1.37.0 go/go1.26 os/${system} arch/${processor}`;
}

async function manifestAt(
  { origin, received, userAgent }: ClientOptions & { readonly userAgent: string },
  path: string,
): Promise<FetchedManifest> {
  const headers = { accept: acceptManifests, 'user-agent': userAgent };
  const response = await fetch(`${origin}${path}`, { headers });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const text = new TextDecoder().decode(bytes);
  const warning = response.headers.get('warning');
  const facts = {
    status: response.status,
    bytes: bytes.byteLength,
    ...(warning === null ? {} : { warning }),
  };
  if (!response.ok) return { text, facts: { ...facts, code: /"code":\s*"(\w+)"/.exec(text)?.[1] ?? '' } };
  received(bytes.byteLength);
  const type = response.headers.get('content-type') ?? undefined;
  return { text, manifest: parseManifest(bytes, type), facts };
}

/** The digest that an index lists for a platform. */
function childOf(text: string, platform: string): string | undefined {
  const index: unknown = JSON.parse(text);
  if (typeof index !== 'object' || index === null || !('manifests' in index)) return undefined;
  const entries = index.manifests as readonly {
    readonly digest: string;
    readonly platform: { readonly os: string; readonly architecture: string };
  }[];
  return entries.find((entry) => `${entry.platform.os}/${entry.platform.architecture}` === platform)?.digest;
}
