import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/manifest.ts';
import type { Repository } from '../oci/reference.ts';
import type { Connection } from './connection.ts';
import { type Answer, type Ask, discard, headerLines, headerOf, wholeBody } from './exchange.ts';
import { statusRefusal } from './retry.ts';
import type { Cancellable, Page } from './upstream.ts';

/** A registry without pages may name every tag in one. */
const maxPageBytes = 32 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

/** One page of tags (end-8); undefined when there is no such repository. */
export async function askTags(
  connection: Connection,
  repository: Repository,
  query: string,
  options: Cancellable = {},
): Promise<Page | undefined> {
  const url = connection.urlOf(`/v2/${repository}/tags/list`);
  url.search = query;
  const ask: Ask = { kind: 'tags', method: 'GET', url, headers: { accept: 'application/json' }, ...options };
  return connection.tried(ask, (answer) => readPage(answer));
}

/** One page of referrers (end-12); undefined when the upstream has no such end-point. */
export async function askReferrers(
  connection: Connection,
  repository: Repository,
  digest: Digest,
  query: string,
  options: Cancellable = {},
): Promise<Page | undefined> {
  const url = connection.urlOf(`/v2/${repository}/referrers/${digest}`);
  url.search = query;
  const ask: Ask = {
    kind: 'referrers',
    method: 'GET',
    url,
    headers: { accept: mediaTypes.ociIndex },
    ...options,
  };
  return connection.tried(ask, async (answer) => {
    if (answer.status === 405) return absent(answer);
    return (await isUnknownManifest(answer)) ? emptyIndex(answer) : readPage(answer);
  });
}

async function readPage(answer: Answer): Promise<Page | undefined> {
  if (answer.status === 404) return absent(answer);
  if (answer.status !== 200) {
    discard(answer);
    throw statusRefusal(answer);
  }
  const bytes = await wholeBody(answer, maxPageBytes);
  if (!isJsonObject(bytes)) {
    throw new RegistryError(
      'UPSTREAM_INVALID',
      'the upstream answered a listing with something that is not JSON',
    );
  }
  const nextQuery = nextQueryOf(headerLines(answer, 'link'), answer.url);
  const filtersApplied = headerOf(answer, 'oci-filters-applied');
  return {
    bytes,
    mediaType: headerOf(answer, 'content-type') ?? 'application/json',
    ...(nextQuery === undefined ? {} : { nextQuery }),
    ...(filtersApplied === undefined ? {} : { filtersApplied }),
    warnings: headerLines(answer, 'warning'),
  };
}

/** The query of the `next` link (RFC 8288); its host and path are the upstream's own business. */
export function nextQueryOf(lines: readonly string[], from: URL): string | undefined {
  for (const line of lines) {
    for (const [, target = '', parameters = ''] of line.matchAll(/<([^>]*)>([^<]*)/g)) {
      const isNext = /;\s*rel\s*=\s*"?(?:[^"]*\s)?next\b/i.test(parameters);
      if (isNext && URL.canParse(target, from)) return new URL(target, from).search.slice(1);
    }
  }
  return undefined;
}

/** Quay answers 400 `MANIFEST_INVALID` for referrers of a manifest that it does not know: there are none. */
async function isUnknownManifest(answer: Answer): Promise<boolean> {
  if (answer.status !== 400) return false;
  const bytes = await wholeBody(answer, maxErrorBytes);
  return /"MANIFEST_(?:INVALID|UNKNOWN)"/.test(Buffer.from(bytes).toString('latin1'));
}

function emptyIndex(answer: Answer): Page {
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
  const bytes = Buffer.from(JSON.stringify(index));
  return { bytes, mediaType: mediaTypes.ociIndex, warnings: headerLines(answer, 'warning') };
}

function absent(answer: Answer): undefined {
  discard(answer);
  return undefined;
}

function isJsonObject(bytes: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
