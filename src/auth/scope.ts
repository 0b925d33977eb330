import { RegistryError } from '../oci/errors.ts';
import { parseRepository } from '../oci/reference.ts';

/** Repositories, as the client writes them, that a token may be used to pull from. */
export type Scopes = readonly string[];

/** One request asks for a handful: the repository, and those it may mount from. */
const mostScopes = 100;
const repositoryScope = /^repository:(.+):([a-z*,]+)$/;

/**
 * What is granted of the scopes that a client asks for (token protocol: `repository:<name>:<actions>`, several in one
 * text or in several): the repositories to be pulled from. Pushing, deleting, catalogs and unreadable names are left
 * out in silence, because clients ask for whatever they may come to need. Throws `UNAUTHORIZED` past 100 scopes.
 */
export function grantedScopes(texts: readonly string[]): Scopes {
  const scopes = texts.flatMap((text) => text.split(' ')).filter((text) => text !== '');
  if (scopes.length > mostScopes)
    throw new RegistryError('UNAUTHORIZED', 'more than 100 scopes are asked for');
  return [...new Set(scopes.flatMap(pulledRepository))];
}

function pulledRepository(scope: string): string[] {
  const [, name = '', actions = ''] = repositoryScope.exec(scope) ?? [];
  const isPull = actions.split(',').some((action) => action === 'pull' || action === '*');
  return isPull && isRepository(name) ? [name] : [];
}

function isRepository(text: string): boolean {
  try {
    return parseRepository(text) === text;
  } catch {
    return false;
  }
}
