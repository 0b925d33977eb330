import { parseImageStreamTag } from '../../src/image-streams/image-stream-tag.ts';
import type { StreamIndex, StreamIndexState, StreamReference } from '../../src/image-streams/stream-index.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Repository } from '../../src/oci/reference.ts';

/** An index of image streams in memory, in which a test writes what streams say. */
export interface MemoryStreamIndex extends StreamIndex {
  state: StreamIndexState;
  /** What `untold` says while `synced`. */
  lacks: string | undefined;
  /** Namespaces where only automation writes. */
  readonly trusted: Set<string>;
  /** How often the index was looked at, by digest. */
  readonly looks: Digest[];
  /** The stream's tag names the digest in the repository: `ocp/4.20:cli`. */
  name(tag: string, digest: Digest, repository?: string): void;
  /** As `name`, but only to those who look. */
  nameLater(tag: string, digest: Digest): void;
  /** The stream is deleted. */
  remove(stream: string): void;
}

interface Options {
  readonly cluster?: string;
  readonly upstream?: string;
  readonly repository?: string;
  readonly trusted?: readonly string[];
}

export function memoryStreamIndex(options: Options = {}): MemoryStreamIndex {
  const { cluster = 'app.ci', upstream = 'quay.io', repository: own = 'openshift/ci' } = options;
  const named = new Map<string, StreamReference[]>();
  const later: (() => void)[] = [];
  const keyOf = (place: { upstream: string; repository: Repository | string }, digest: Digest) =>
    `${place.upstream}/${place.repository}@${digest}`;

  const index: MemoryStreamIndex = {
    cluster,
    state: 'synced',
    lacks: undefined,
    get untold() {
      return index.state === 'synced' ? index.lacks : `the streams are ${index.state}`;
    },
    trusted: new Set(options.trusted ?? ['ocp', 'ocp-priv']),
    looks: [],
    isTrusted: (namespace) => index.trusted.has(namespace),
    naming: (place, digest) => (index.state === 'expired' ? [] : (named.get(keyOf(place, digest)) ?? [])),
    async look(place, digest) {
      index.looks.push(digest);
      for (const name of later.splice(0)) name();
      return { named: index.naming(place, digest), untold: index.untold };
    },
    subscribe: () => {},
    name(text, digest, repository = own) {
      const tag = parseImageStreamTag(text);
      if (tag === undefined) throw new Error(text);
      const key = keyOf({ upstream, repository }, digest);
      named.set(key, [...(named.get(key) ?? []), tag]);
    },
    nameLater: (text, digest) => void later.push(() => index.name(text, digest)),
    remove(stream) {
      for (const [key, tags] of named)
        named.set(
          key,
          tags.filter(({ namespace, name }) => `${namespace}/${name}` !== stream),
        );
    },
  };
  return index;
}
