import { RegistryError } from '../oci/errors.ts';
import { parseRepository, type Repository } from '../oci/reference.ts';

/** A repository, as the client writes it, that a token was asked for. */
export interface Scope {
  readonly name: Repository;
  /** Whether pulling from it was in sight then. Whether it may be is asked with each pull. */
  readonly isGranted: boolean;
}

/** One request asks for a handful: the repository, and those it may mount from. */
const mostScopes = 100;
/** What all names may take in a token, in characters: a token is sent with each request. */
const mostNames = 3_700;
const besideName = '{"type":"repository","name":"","actions":["pull"]},'.length;
const repositoryScope = /^repository:(.+):([a-z*,]+)$/;

/**
 * The repositories that a client wants to pull from (token protocol: `repository:<name>:<actions>`,
 * one or several per text). Ignores pushes, deletes, catalogs and invalid names, because clients
 * request more than they need, and names past 3.7 KB, for which the client asks again. Undefined
 * without any scope. Throws `UNAUTHORIZED` past 100 scopes.
 */
export function requestedScopes(texts: readonly string[]): readonly Repository[] | undefined {
  const scopes = texts.flatMap((text) => text.split(' ')).filter((text) => text !== '');
  if (scopes.length > mostScopes)
    throw new RegistryError('UNAUTHORIZED', 'more than 100 scopes are asked for');
  if (scopes.length === 0) return undefined;
  let room = mostNames;
  return [...new Set(scopes.flatMap(pulledRepository))].filter((name) => {
    room -= name.length + besideName;
    return room >= 0;
  });
}

function pulledRepository(scope: string): Repository[] {
  const [, name = '', actions = ''] = repositoryScope.exec(scope) ?? [];
  const isPull = actions.split(',').some((action) => action === 'pull' || action === '*');
  return isPull ? repositoryIn(name) : [];
}

function repositoryIn(text: string): Repository[] {
  try {
    return [parseRepository(text)];
  } catch {
    return [];
  }
}
