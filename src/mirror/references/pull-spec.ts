// Room `mirror/references`: pull specs and the names of QCI. In: text. Out: parsed references.
// Imports: base, image-streams, oci.

import { type Digest, parseDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseRepository, parseTag, type Reference, type Repository, type Tag } from '../../oci/reference.ts';
import { hostFault } from './registry-host.ts';
import { transportFault, withoutTransport } from './transports.ts';

/** A place of images: a registry, a directory as of `oc image mirror`, or an OCI image layout. */
type Medium = 'registry' | 'file' | 'oci';

/** A repository somewhere. */
export interface ImagePlace {
  readonly medium: Medium;
  /** A registry's host, as in `quay.io`; an OCI layout's path; nothing for `file`. */
  readonly location: string;
  readonly repository: Repository;
}

/** An image, or all of a repository where neither tag nor digest is said. */
export interface PullSpec extends ImagePlace {
  readonly tag?: Tag;
  readonly digest?: Digest;
  /** Stands in the place of the tag: every tag that it matches. `*` is any text. */
  readonly glob?: string;
}

/** An OCI layout has no repositories; this one stands for all of it. */
const wholeLayout = parseRepository('layout');
const hub = 'docker.io';
const globShape = /^[\w.*-]+$/;
/** A path of a layout may be long; nothing else is. */
const longestText = 4096;

/**
 * Reads what people write for an image, with the defaults that `docker` and `oc` have: `alpine` is
 * `docker.io/library/alpine`, the first component is a host if it holds a dot or a port, or is
 * `localhost`. Also `file://REPOSITORY` and `oci:PATH`, each with a tag or a digest or none;
 * `docker://` may stand before a registry. What it returns has a host that can be asked. Throws
 * `RegistryError` with the text in its message, and the name of a transport that is not read here.
 */
export function parsePullSpec(text: string): PullSpec {
  if (text.length > longestText) throw invalid(text, `it is longer than ${longestText} characters`);
  const fault = transportFault(text);
  if (fault !== undefined) throw invalid(text, fault);
  if (text.startsWith('oci:')) return layoutSpec(text);
  const isFile = text.startsWith('file://');
  const written = isFile ? text.slice(text.startsWith('file:///') ? 8 : 7) : withoutTransport(text);
  const { name, ...rest } = parts(text, written);
  const { host, path } = hostAndPath(text, name);
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
export function placeText({ medium, location, repository }: ImagePlace): string {
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

interface PullSpecParts extends Pick<PullSpec, 'tag' | 'digest' | 'glob'> {
  readonly name: string;
}

/** Splits off `@digest`, then `:tag` or `:glob`; a colon before the last slash is a port's. */
function parts(whole: string, text: string): PullSpecParts {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : read(whole, () => parseDigest(text.slice(at + 1)));
  const tagged = at < 0 ? text : text.slice(0, at);
  const colon = tagged.lastIndexOf(':');
  if (colon <= tagged.lastIndexOf('/')) return { name: tagged, ...(digest === undefined ? {} : { digest }) };
  const name = tagged.slice(0, colon);
  const label = tagged.slice(colon + 1);
  if (digest === undefined && label.includes('*') && globShape.test(label)) return { name, glob: label };
  const tag = read(whole, () => parseTag(label));
  return { name, tag, ...(digest === undefined ? {} : { digest }) };
}

function layoutSpec(text: string): PullSpec {
  const { name, ...rest } = parts(text, text.slice('oci:'.length));
  if (name === '') throw invalid(text, 'the path of the layout is missing');
  return { medium: 'oci', location: name, repository: wholeLayout, ...rest };
}

function hostAndPath(whole: string, name: string): { readonly host?: string; readonly path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  if (!first.includes('.') && !first.includes(':') && first !== 'localhost') return { path: name };
  const fault = hostFault(first);
  if (fault !== undefined) throw invalid(whole, fault);
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
