import { type Digest, parseDigest } from './digest.ts';
import { RegistryError } from './errors.ts';

declare const brand: unique symbol;

/** A repository name that passed parseRepository (distribution-spec: `<name>`). */
export type Repository = string & { readonly [brand]: 'Repository' };

/** A tag that passed parseTag: at most 128 characters. */
export type Tag = string & { readonly [brand]: 'Tag' };

/** What stands behind `/manifests/`: a tag, a digest, or both, in which case the digest decides. */
export type Reference =
  | { readonly tag: Tag; readonly digest?: undefined }
  | { readonly digest: Digest; readonly tag?: Tag };

const repositoryShape = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagShape = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const longestRepository = 255;

/** True for the text of a repository name. */
export function isRepository(text: unknown): text is Repository {
  return typeof text === 'string' && text.length <= longestRepository && repositoryShape.test(text);
}

/** The text as a repository name; throws `NAME_INVALID`. */
export function parseRepository(text: string): Repository {
  if (isRepository(text)) return text;
  throw new RegistryError('NAME_INVALID', 'not a repository name: lower-case components joined by "/"', {
    detail: { name: text.slice(0, longestRepository) },
  });
}

/** By the rule of clients: a dot, a port or `localhost` makes a first component a registry. */
export function isRegistryName(first: string): boolean {
  return first.includes('.') || first.includes(':') || first === 'localhost';
}

/** True for the text of a tag. */
export function isTag(text: unknown): text is Tag {
  return typeof text === 'string' && tagShape.test(text);
}

/** The text as a tag; throws `TAG_INVALID`. */
export function parseTag(text: string): Tag {
  if (isTag(text)) return text;
  throw new RegistryError('TAG_INVALID', 'not a tag: 1 to 128 characters of A-Z a-z 0-9 _ . -', {
    detail: { tag: text.slice(0, 150) },
  });
}

/** `tag`, `digest` or `tag@digest`; throws `TAG_INVALID` or `DIGEST_INVALID`. */
export function parseReference(text: string): Reference {
  const at = text.indexOf('@');
  if (at > 0) return { tag: parseTag(text.slice(0, at)), digest: parseDigest(text.slice(at + 1)) };
  return text.includes(':') ? { digest: parseDigest(text) } : { tag: parseTag(text) };
}

/** The reference as it stands in an upstream's URL: the digest where there is one. */
export function referenceText(reference: Reference): string {
  return reference.digest ?? reference.tag;
}
