import { readFile } from 'node:fs/promises';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import type { Cancellable } from '../../oci/registry-reader.ts';
import { createConnection } from '../client/connection.ts';
import { discard, type UpstreamRequest, type UpstreamResponse } from '../exchange.ts';
import { settingsOf, type UpstreamOptions } from '../http/options.ts';
import { writeRefusal } from './write-refusal.ts';

/** Tags of a Quay by its own API, where a tag is a thing of its own. Throws `RegistryError`. */
export interface QuayTags {
  /**
   * Takes the tag away, no other tag of its manifest. `NAME_UNKNOWN` for a tag that is not there,
   * and for a repository that the token does not see.
   */
  deleteTag(repository: Repository, tag: Tag, options?: Cancellable): Promise<void>;
  /** Sets the tag to a manifest that the repository has. */
  putTag(repository: Repository, tag: Tag, digest: Digest, options?: Cancellable): Promise<void>;
  close(): Promise<void>;
}

interface QuayOptions extends Omit<UpstreamOptions, 'credentials'> {
  /** Holds an OAuth token with the right to write to repositories. Read before each request. */
  readonly token: { readonly file: string } | { readonly text: string };
}

/** Asks nothing before the first call. */
export function createQuayTags({ token, ...options }: QuayOptions): QuayTags {
  const settings = settingsOf(options);
  const link = createConnection(settings);
  const sent = async (
    method: 'DELETE' | 'PUT',
    path: { readonly repository: Repository; readonly tag: Tag },
    body: object | undefined,
    { signal }: Cancellable,
  ): Promise<void> => {
    const ask: UpstreamRequest = {
      kind: 'tags',
      method,
      url: link.urlOf(`/api/v1/repository/${path.repository}/tag/${path.tag}`),
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${await textOf(token)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    };
    await link.tried(ask, taken);
  };
  return {
    deleteTag: (repository, tag, asked = {}) => sent('DELETE', { repository, tag }, undefined, asked),
    putTag: (repository, tag, digest, asked = {}) =>
      sent('PUT', { repository, tag }, { manifest_digest: digest }, asked),
    close: () => link.close(),
  };
}

async function taken(answer: UpstreamResponse): Promise<void> {
  if (answer.status < 200 || answer.status >= 300) throw await writeRefusal(answer, 'TAG_INVALID');
  discard(answer);
}

async function textOf(token: QuayOptions['token']): Promise<string> {
  if ('text' in token) return token.text;
  try {
    return (await readFile(token.file, 'utf8')).trim();
  } catch (cause) {
    throw new RegistryError('UNAVAILABLE', `the OAuth token in ${token.file} cannot be read`, {
      cause,
      retry: 'never',
    });
  }
}
