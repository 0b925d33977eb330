// Room `image-streams`: image streams of a cluster, and what flat tags stand for. In: a Kubernetes
// client. Out: tags with their images, listed and watched. Imports: base, kubernetes, oci.

import type { KubernetesClient } from '../kubernetes/client.ts';
import { unless } from '../kubernetes/failure.ts';
import { type FollowEvents, type FollowOptions, followed, type StreamListener } from './follow.ts';
import type { ImageStreamTag } from './image-stream-tag.ts';
import { type ImageStreamObject, type StatusTag, type StreamPage, statusTags } from './stream-tags.ts';

/** An ImageStreamTag as the API server knows it, with the manifest that it stands for. */
export interface SourceTag {
  /** The name of its Image object: a digest, except for one made by hand. */
  readonly image: string;
  /** When the Image object was made, milliseconds since the epoch. */
  readonly createdAt: number;
  /** Of the manifest; empty where the server does not know. */
  readonly mediaType: string;
  readonly layerMediaTypes: readonly string[];
}

/** The ImageStreams of a cluster (`image.openshift.io/v1`). Throws `ApiFailure` or the reason. */
export interface ImageStreams {
  /** Every tag that stands for an image, read page by page from the server. */
  tags(options?: { readonly namespace?: string; readonly signal?: AbortSignal }): AsyncIterable<StatusTag>;
  /** Undefined when there is no such tag. */
  tag(tag: ImageStreamTag, options?: { readonly signal?: AbortSignal }): Promise<SourceTag | undefined>;
  /** Reports every tag, then each change, until aborted; failures are events. Never rejects. */
  follow(listener: StreamListener, options: { readonly signal: AbortSignal }): Promise<void>;
}

export interface ImageStreamsOptions extends Omit<FollowOptions, 'events'> {
  readonly client: KubernetesClient;
  /** Limit of one call, milliseconds. Default 60,000: a page of streams is some megabytes. */
  readonly timeoutMs?: number;
  /** Streams in one page of a list. Default 100. */
  readonly pageSize?: number;
  readonly events?: Partial<FollowEvents>;
}

/** The longest page that is read: one of streams with long histories is some megabytes. */
const maxBytes = 256 * 1024 * 1024;
const root = '/apis/image.openshift.io/v1';

interface ListAnswer {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly ImageStreamObject[];
}

interface TagAnswer {
  readonly image?: {
    readonly metadata?: { readonly name?: string; readonly creationTimestamp?: string };
    readonly dockerImageManifestMediaType?: string;
    readonly dockerImageLayers?: readonly { readonly mediaType?: string }[] | null;
  };
}

/** The rights that it takes: get, list and watch `imagestreams`, get `imagestreamtags`. */
export function createImageStreams(options: ImageStreamsOptions): ImageStreams {
  const { client, timeoutMs = 60_000, pageSize = 100 } = options;

  async function* pages(namespace: string | undefined, signal?: AbortSignal): AsyncIterable<StreamPage> {
    let next: string | undefined;
    do {
      const answer = await page(namespace, next, signal);
      yield { version: answer.metadata?.resourceVersion ?? '', streams: answer.items ?? [] };
      next = answer.metadata?.continue || undefined;
    } while (next !== undefined);
  }

  function page(namespace: string | undefined, next: string | undefined, signal?: AbortSignal) {
    const query = new URLSearchParams({ limit: `${pageSize}`, ...(next && { continue: next }) });
    const of = namespace === undefined ? root : within(namespace);
    return client.json<ListAnswer>({ path: `${of}/imagestreams?${query}`, timeoutMs, maxBytes, signal });
  }

  return {
    async *tags({ namespace, signal } = {}) {
      for await (const { streams } of pages(namespace, signal)) {
        for (const stream of streams) yield* statusTags(stream);
      }
    },
    async tag({ namespace, name, tag }, { signal } = {}) {
      const path = `${within(namespace)}/imagestreamtags/${encodeURIComponent(`${name}:${tag}`)}`;
      const answer = await unless(404, client.json<TagAnswer>({ path, timeoutMs, signal }));
      return answer && sourceTag(answer);
    },
    follow: (listener, { signal }) =>
      followed({
        client,
        path: `${root}/imagestreams`,
        pages: (stop) => pages(undefined, stop),
        listener,
        signal,
        options,
      }),
  };
}

function within(namespace: string): string {
  return `${root}/namespaces/${encodeURIComponent(namespace)}`;
}

function sourceTag({ image = {} }: TagAnswer): SourceTag {
  const { metadata, dockerImageManifestMediaType = '', dockerImageLayers } = image;
  return {
    image: metadata?.name ?? '',
    createdAt: Date.parse(metadata?.creationTimestamp ?? '') || 0,
    mediaType: dockerImageManifestMediaType,
    layerMediaTypes: (dockerImageLayers ?? []).map(({ mediaType = '' }) => mediaType),
  };
}
