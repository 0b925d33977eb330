import { isDigest } from '../../oci/digest.ts';
import { isRegistryName, isTag } from '../../oci/reference.ts';

/** A reference that cannot be read, and where it stands. */
export interface BadReference {
  /** `pod/app-7f namespace=team: container app` */
  readonly at: string;
  readonly text: string;
}

interface UsedStream {
  readonly namespace: string;
  readonly name: string;
}

/** What a text means in the integrated registry; `bad` when it cannot be told. */
type Meaning =
  | 'nothing'
  | 'bad'
  | (UsedStream & { readonly tag: string })
  | (UsedStream & { readonly digest: string });

const partShape = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;

/**
 * `REGISTRY/NAMESPACE/NAME[:TAG][@DIGEST]` of any registry, as it cannot be told which name of the
 * integrated one it is. Blanks around it do not count.
 */
function meaningOf(written: string): Meaning {
  const text = written.trim();
  if (text === '') return 'nothing';
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) return 'bad';
  const parts = (at < 0 ? text : text.slice(0, at)).split('/');
  const [first = ''] = parts;
  const hasRegistry = parts.length > 1 && isRegistryName(first);
  const path = hasRegistry ? parts.slice(1) : parts;
  const last = path.at(-1) ?? '';
  const colon = last.indexOf(':');
  const name = colon < 0 ? last : last.slice(0, colon);
  const tag = colon < 0 ? 'latest' : last.slice(colon + 1);
  const names = [...path.slice(0, -1), name];
  if (!isTag(tag) || !names.every((part) => partShape.test(part))) return 'bad';
  const [namespace = ''] = names;
  if (!hasRegistry || names.length !== 2) return 'nothing';
  return digest === undefined ? { namespace, name, tag } : { namespace, name, digest };
}

/** Which tags and digests of image streams are in use. */
export class UseTable {
  readonly bad: BadReference[] = [];
  /** Every digest that something names, in whatever stream. */
  readonly digests = new Set<string>();
  readonly #tags = new Set<string>();
  readonly #digests = new Set<string>();
  readonly #streams = new Set<string>();
  readonly #namespaces = new Set<string>();

  /** Notes a pull spec of an object of that namespace. */
  addText(text: string, namespace: string, at: string): void {
    const meaning = meaningOf(text);
    if (meaning === 'nothing') return;
    if (meaning === 'bad') {
      this.bad.push({ at, text });
      this.#addAll(text, namespace);
    } else if ('digest' in meaning) this.addDigest(meaning, meaning.digest);
    else this.addTag(meaning, meaning.tag);
  }

  addTag({ namespace, name }: UsedStream, tag: string): void {
    this.#tags.add(`${namespace}/${name}:${tag}`);
  }

  addDigest({ namespace, name }: UsedStream, digest: string): void {
    this.digests.add(digest);
    this.#digests.add(`${namespace}/${name}@${digest}`);
  }

  /** What is written after a bad reference may be anything: all of its stream is in use. */
  addBad(text: string, namespace: string, at: string): void {
    this.bad.push({ at, text });
    this.#addAll(text, namespace);
  }

  usesTag({ namespace, name }: UsedStream, tag: string): boolean {
    return this.#usesAll({ namespace, name }) || this.#tags.has(`${namespace}/${name}:${tag}`);
  }

  usesDigest({ namespace, name }: UsedStream, digest: string): boolean {
    return this.#usesAll({ namespace, name }) || this.#digests.has(`${namespace}/${name}@${digest}`);
  }

  #usesAll({ namespace, name }: UsedStream): boolean {
    return this.#namespaces.has(namespace) || this.#streams.has(`${namespace}/${name}`);
  }

  /** All that the text could have meant; without a name that can be told, all of its namespace. */
  #addAll(text: string, namespace: string): void {
    const parts = text
      .trim()
      .split('/')
      .map((part) => part.split(/[@:\s]/, 1)[0] ?? '');
    const name = parts.at(-1) ?? '';
    if (!partShape.test(name)) this.#namespaces.add(namespace);
    else {
      this.#streams.add(`${namespace}/${name}`);
      const owner = parts.at(-2) ?? '';
      if (partShape.test(owner)) this.#streams.add(`${owner}/${name}`);
      else if (parts.length > 1) this.#namespaces.add(namespace);
    }
  }
}
