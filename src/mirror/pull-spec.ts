import { type Digest, parseDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseRepository, parseTag, type Reference, type Repository, type Tag } from '../oci/reference.ts';

/** What holds images: a registry, a directory in the layout of `oc image mirror`, or an OCI image layout. */
export type Medium = 'registry' | 'file' | 'oci';

/** A repository somewhere. */
export interface Place {
  readonly medium: Medium;
  /** Of a registry its host, as in `quay.io`; of an OCI layout its path; of `file` nothing: the command line says where. */
  readonly location: string;
  readonly repository: Repository;
}

/** An image, or all of a repository where neither tag nor digest is said. */
export interface PullSpec extends Place {
  readonly tag?: Tag;
  readonly digest?: Digest;
  /** Stands in the place of the tag: every tag that it matches. `*` is any text. */
  readonly glob?: string;
}

/** An OCI layout has no repositories; this one stands for all of it. */
const wholeLayout = parseRepository('layout');
const hub = 'docker.io';
const globShape = /:([\w.*-]*\*[\w.*-]*)$/;

/**
 * Reads what people write for an image, with the defaults that `docker` and `oc` have: `alpine` is `docker.io/library/alpine`, the
 * first component is a host if it holds a dot or a port, or is `localhost`. Also `file://REPOSITORY` and `oci:PATH`, each with a
 * tag or a digest or none. Throws `RegistryError` with the text in its message.
 */
export function parsePullSpec(text: string): PullSpec {
  if (text.startsWith('s3://'))
    throw invalid(text, 'buckets are not supported, use a registry that keeps its blobs there');
  if (text.startsWith('oci:')) return layoutSpec(text);
  const isFile = text.startsWith('file://');
  const { name, ...rest } = parts(text, isFile ? text.slice(7).replace(/^\//, '') : text);
  const { host, path } = hostAndPath(name);
  if (isFile) return { medium: 'file', location: '', repository: repositoryIn(text, path), ...rest };
  const location = host === undefined || host === 'index.docker.io' ? hub : host;
  const isShort = location === hub && !path.includes('/');
  return {
    medium: 'registry',
    location,
    repository: repositoryIn(text, isShort ? `library/${path}` : path),
    ...rest,
  };
}

/** The place as people write it: what parsePullSpec reads. */
export function placeText({ medium, location, repository }: Place): string {
  if (medium === 'oci') return `oci:${location}`;
  return medium === 'file' ? `file://${repository}` : `${location}/${repository}`;
}

/** A repository of what has that name, a registry or a directory, for people. */
export function repositoryText(name: string, repository: Repository): string {
  return name.startsWith('oci:') ? name : `${name}/${repository}`;
}

/** The image as people write it. */
export function pullSpecText(spec: PullSpec): string {
  const label = spec.tag ?? spec.glob;
  return `${placeText(spec)}${label === undefined ? '' : `:${label}`}${spec.digest === undefined ? '' : `@${spec.digest}`}`;
}

/** What to ask a registry for; undefined for a spec that names no single image. */
export function referenceOf({ tag, digest }: PullSpec): Reference | undefined {
  if (digest !== undefined) return { digest, ...(tag === undefined ? {} : { tag }) };
  return tag === undefined ? undefined : { tag };
}

/** The test that a glob makes of a tag's text. */
export function isMatching(glob: string): (tag: string) => boolean {
  const literal = glob.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\-]/g, '\\$&'));
  const shape = new RegExp(`^${literal.join('.*')}$`);
  return (tag) => shape.test(tag);
}

interface Parts extends Pick<PullSpec, 'tag' | 'digest' | 'glob'> {
  readonly name: string;
}

/** Splits off `@digest`, then `:tag` or `:glob`; a colon before the last slash belongs to a port. */
function parts(whole: string, text: string): Parts {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : read(whole, () => parseDigest(text.slice(at + 1)));
  const tagged = at < 0 ? text : text.slice(0, at);
  const glob = digest === undefined ? globShape.exec(tagged)?.[1] : undefined;
  const colon = tagged.lastIndexOf(':');
  if (colon <= tagged.lastIndexOf('/')) return { name: tagged, ...(digest === undefined ? {} : { digest }) };
  const name = tagged.slice(0, colon);
  if (glob !== undefined) return { name, glob };
  const tag = read(whole, () => parseTag(tagged.slice(colon + 1)));
  return { name, tag, ...(digest === undefined ? {} : { digest }) };
}

function layoutSpec(text: string): PullSpec {
  const { name, ...rest } = parts(text, text.slice('oci:'.length));
  if (name === '') throw invalid(text, 'the path of the layout is missing');
  return { medium: 'oci', location: name, repository: wholeLayout, ...rest };
}

function hostAndPath(name: string): { readonly host?: string; readonly path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  if (!/[.:]/.test(first) && first !== 'localhost') return { path: name };
  return { host: first, path: name.slice(slash + 1) };
}

function repositoryIn(whole: string, path: string): Repository {
  return read(whole, () => parseRepository(path));
}

function read<T>(whole: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw invalid(whole, error instanceof Error ? error.message : String(error));
  }
}

function invalid(text: string, why: string): RegistryError {
  return new RegistryError('NAME_INVALID', `"${text.slice(0, 300)}" is not a valid image reference: ${why}`);
}
