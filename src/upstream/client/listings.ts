import { isObject, parseJson } from '../../base/text/json.ts';
import { namesInField, type PackedNames } from '../../base/text/packed-names.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { mediaTypes } from '../../oci/manifest.ts';
import { isTag, type Repository } from '../../oci/reference.ts';
import {
  type Cancellable,
  isLong,
  longPage,
  type ReferrersPage,
  type TagPage,
} from '../../oci/registry-reader.ts';
import { discard, headerLines, headerOf, type UpstreamResponse, wholeBody } from '../exchange.ts';
import { refusedBy } from '../resilience/retry.ts';
import type { Connection } from './connection.ts';

/** A registry without pages may name every tag in one. */
const maxPageBytes = 32 * 1024 * 1024;

/** One page of tags (end-8); undefined when there is no such repository. */
export async function askTags(
  connection: Connection,
  repository: Repository,
  query: string,
  options: Cancellable = {},
): Promise<TagPage | undefined> {
  const url = connection.urlOf(`/v2/${repository}/tags/list`);
  url.search = query;
  const headers = { accept: 'application/json' };
  return connection.tried({ kind: 'tags', method: 'GET', url, headers, ...options }, readTags);
}

/**
 * One page of referrers (end-12); undefined when the upstream has no such end-point. Registries
 * without one answer it with all manner of statuses and pages, and none but an index is believed:
 * the tag that stands in for the API must not be missed. Quay's 400 for a manifest that it does not
 * know leads there, too.
 */
export async function askReferrers(
  connection: Connection,
  repository: Repository,
  digest: Digest,
  query: string,
  options: Cancellable = {},
): Promise<ReferrersPage | undefined> {
  const url = connection.urlOf(`/v2/${repository}/referrers/${digest}`);
  url.search = query;
  const headers = { accept: mediaTypes.ociIndex };
  try {
    return await connection.tried(
      { kind: 'referrers', method: 'GET', url, headers, ...options },
      readReferrers,
    );
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'UPSTREAM_INVALID') return undefined;
    throw error;
  }
}

async function readTags(answer: UpstreamResponse): Promise<TagPage | undefined> {
  if (answer.status === 404) return absent(answer);
  if (answer.status !== 200) {
    throw await refusedBy(answer);
  }
  const bytes = await wholeBody(answer, maxPageBytes);
  const packed = isLong(bytes) ? await packedTags(bytes) : undefined;
  if (packed !== undefined) return longPage(packed, pageOf(answer));
  const list = objectIn(bytes);
  const message = 'the upstream answered a listing with something that is not JSON';
  if (list === undefined) throw new RegistryError('UPSTREAM_INVALID', message);
  const { tags } = list;
  return { tags: Array.isArray(tags) ? tags.filter(isTag) : [], ...pageOf(answer) };
}

/** Undefined for a document that must be parsed. */
async function packedTags(bytes: Uint8Array): Promise<PackedNames | undefined> {
  const found = await namesInField(bytes, 'tags');
  return found !== undefined && objectIn(found.rest)?.['tags'] === found.mark ? found.names : undefined;
}

/** 401 and 403 are refusals; 408, 429 and trouble were dealt with before. */
async function readReferrers(answer: UpstreamResponse): Promise<ReferrersPage | undefined> {
  if (answer.status === 401 || answer.status === 403) {
    throw await refusedBy(answer);
  }
  if (answer.status !== 200) return absent(answer);
  const bytes = await wholeBody(answer, maxPageBytes);
  const index = objectIn(bytes);
  if (!Array.isArray(index?.['manifests'])) return undefined;
  const filtersApplied = headerOf(answer, 'oci-filters-applied');
  return {
    bytes,
    mediaType: mediaTypes.ociIndex,
    ...(filtersApplied === undefined ? {} : { filtersApplied }),
    ...pageOf(answer),
  };
}

function pageOf(answer: UpstreamResponse): Pick<TagPage, 'nextQuery' | 'warnings'> {
  const nextQuery = nextQueryOf(headerLines(answer, 'link'), answer.url);
  return { ...(nextQuery === undefined ? {} : { nextQuery }), warnings: headerLines(answer, 'warning') };
}

/** The query of the `next` link (RFC 8288). Old quays omit the angle brackets. */
export function nextQueryOf(lines: readonly string[], from: URL): string | undefined {
  for (const line of lines) {
    for (const [target, parameters] of linksIn(line)) {
      if (isNext(parameters) && URL.canParse(target, from)) return new URL(target, from).search.slice(1);
    }
  }
  return undefined;
}

/** `rel` may name several relations (RFC 8288 section 3.3). */
function isNext(parameters: string): boolean {
  return parameters.split(';').some((parameter) => {
    const [name = '', value = ''] = parameter.split('=', 2);
    const relations = value.replace(/[",]/g, ' ').toLowerCase().split(/\s+/);
    return name.trim().toLowerCase() === 'rel' && relations.includes('next');
  });
}

/** Longer `Link` lines are not read: a cursor has some hundred characters. */
const longestLink = 8192;

function linksIn(line: string): readonly (readonly [target: string, parameters: string])[] {
  if (line.length > longestLink) return [];
  if (!line.includes('<')) {
    const end = line.indexOf(';');
    return end < 0 ? [] : [[line.slice(0, end).trim(), line.slice(end)]];
  }
  return [...line.matchAll(/<([^<>]*)>([^<]*)/g)].map(([, target = '', rest = '']) => [target, rest]);
}

function absent(answer: UpstreamResponse): undefined {
  discard(answer);
  return undefined;
}

function objectIn(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = parseJson(bytes);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
