// Room `image-streams`: image streams of a cluster, and what flat tags stand for. In: a Kubernetes
// client. Out: tags with their images, listed and watched. Imports: base, kubernetes, oci.

import { defined } from '../base/text/defined.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { unless } from '../kubernetes/failure.ts';
import { listItems } from '../kubernetes/list.ts';
import { type FollowEvents, type FollowOptions, followed, type StreamObserver } from './follow.ts';
import type { ImageStreamTag } from './image-stream-tag.ts';
import {
  type ImageStreamObject,
  type StatusTag,
  type StreamListener,
  statusTags,
  tagObserver,
} from './stream-tags.ts';

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
  /** The same, told of whole streams, of one namespace or of all. */
  observe(
    observer: StreamObserver,
    options: { readonly namespace?: string; readonly signal: AbortSignal },
  ): Promise<void>;
}

export interface ImageStreamsOptions extends Omit<FollowOptions, 'events'> {
  readonly client: KubernetesClient;
  /** Limit of one page, milliseconds. Default 60,000: streams with long histories are megabytes. */
  readonly timeoutMs?: number;
  /** Streams in one page of a list. Default 100. */
  readonly pageSize?: number;
  readonly events?: Partial<FollowEvents>;
}

const root = '/apis/image.openshift.io/v1';

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

  /** Returns the version of the list; of a list of many pages all have the same. */
  async function* listed(
    namespace: string | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<ImageStreamObject, string> {
    const of = pathOf(namespace);
    let version = '';
    let next: string | undefined;
    do {
      const query = new URLSearchParams({ limit: `${pageSize}`, ...(next && { continue: next }) });
      const page = { path: `${of}?${query}`, timeoutMs, ...defined({ signal }) };
      const { resourceVersion = '', continue: rest } = yield* listItems<ImageStreamObject>(client, page);
      version ||= resourceVersion;
      next = rest || undefined;
    } while (next !== undefined);
    return version;
  }

  const observe: ImageStreams['observe'] = (observer, { namespace, signal }) =>
    followed({
      client,
      path: pathOf(namespace),
      list: (stop) => listed(namespace, stop),
      observer,
      signal,
      options,
    });

  return {
    async *tags({ namespace, signal } = {}) {
      for await (const stream of listed(namespace, signal)) yield* statusTags(stream);
    },
    async tag({ namespace, name, tag }, { signal } = {}) {
      const path = `${within(namespace)}/imagestreamtags/${encodeURIComponent(`${name}:${tag}`)}`;
      const answer = await unless(404, client.json<TagAnswer>({ path, timeoutMs, signal }));
      return answer && sourceTag(answer);
    },
    follow: (listener, { signal }) => observe(tagObserver(listener), { signal }),
    observe,
  };
}

function pathOf(namespace: string | undefined): string {
  return `${namespace === undefined ? root : within(namespace)}/imagestreams`;
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
