import { field, jsonOrNone, listOf } from '../../base/text/json.ts';
import { RegistryError } from '../../oci/errors.ts';
import {
  type Dispatch,
  discard,
  headerOf,
  isReplayable,
  type UpstreamRequest,
  type UpstreamResponse,
  wholeBody,
} from '../exchange.ts';
import { TryAgain } from '../resilience/retry.ts';
import { replyOf } from '../resilience/words.ts';
import { isPrivateHost, privateTarget } from './addresses.ts';

export interface TargetRules {
  /** The registry itself, which may be anywhere. */
  readonly upstream: URL;
  readonly allowPrivateAddresses: boolean;
}

interface RedirectOptions extends TargetRules {
  readonly maxRedirects: number;
  /** Requests to the registry itself, with our login. */
  readonly own: Dispatch;
  /** Requests to other hosts, without. */
  readonly foreign: Dispatch;
  /** The same, with an anonymous token for a registry that asks for one. */
  readonly guest: Dispatch;
}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Those after which method and body stay as they were (RFC 9110 sections 15.4.8 and 15.4.9). */
const keptRedirects: ReadonlySet<number> = new Set([307, 308]);

/** True for an answer that is to be had elsewhere. */
export function isRedirect({ status }: UpstreamResponse): boolean {
  return redirects.has(status);
}

/** True where the same request, with its body, is to be made elsewhere. */
export function isKeptRedirect({ status }: UpstreamResponse): boolean {
  return keptRedirects.has(status);
}

/**
 * Requests whose redirects we follow and never cache: a signed URL is valid for minutes, whatever
 * its `Cache-Control` says. A write follows 307 and 308, to the same scheme; one whose body is a
 * stream is the caller's to repeat. Once a redirect has left the registry, no later hop carries our
 * login, not even one back to it; nor does a request of the kind `cdn`. A refusal by storage is not
 * the registry's: it is worth one try with another URL, and is `UNAVAILABLE` then.
 */
export function followed(options: RedirectOptions): Dispatch {
  return async (ask) => {
    if (ask.kind === 'cdn') return (await hopped(ask, options.foreign, options)).answer;
    const { answer, hasLeft } = await hopped(ask, options.own, options);
    return hasLeft && isRead(ask) ? orWorthAnotherUrl(answer, ask) : answer;
  };
}

async function hopped(
  ask: UpstreamRequest,
  first: Dispatch,
  options: RedirectOptions,
): Promise<{ readonly answer: UpstreamResponse; readonly hasLeft: boolean }> {
  let hasLeft = ask.kind === 'cdn';
  const elsewhere = hasLeft || !isRead(ask) ? options.foreign : options.guest;
  let answer = await first(ask);
  for (let hops = 0; isFollowed(answer, ask); hops += 1) {
    const url = targetOf(answer, options);
    if (hops >= options.maxRedirects) throw invalid('the upstream redirects too often');
    if (!isRead(ask) && url.protocol !== answer.url.protocol)
      throw invalid('the upstream redirects a write to another scheme');
    hasLeft ||= url.origin !== options.upstream.origin;
    answer = await (hasLeft ? elsewhere(away(ask, url)) : options.own({ ...ask, url }));
  }
  return { answer, hasLeft };
}

/** Clients say where they come from, and some storage wants to know; a query may be a secret. */
function away(ask: UpstreamRequest, url: URL): UpstreamRequest {
  const referer = `${ask.url.origin}${ask.url.pathname}`;
  return { ...ask, kind: 'cdn', url, headers: { ...ask.headers, referer } };
}

/** What refers to a manifest is judged by the caller: a page of some site is no list. */
async function orWorthAnotherUrl(
  answer: UpstreamResponse,
  { kind, method }: UpstreamRequest,
): Promise<UpstreamResponse> {
  if (kind === 'referrers' || !(await isStoragesRefusal(answer, method))) return answer;
  if (method === 'HEAD') return { ...answer, isOfStorage: true };
  const message = `the storage that the upstream redirects to refuses the request: it answers ${answer.status}`;
  const refusal = new RegistryError('UNAVAILABLE', message, {
    detail: { storageStatus: answer.status },
    reply: await replyOf(answer),
  });
  throw new TryAgain('status', refusal, { longestPauseMs: 0, mostRetries: 1 });
}

function isFollowed(answer: UpstreamResponse, ask: UpstreamRequest): boolean {
  return isRead(ask) ? isRedirect(answer) : isKeptRedirect(answer) && isReplayable(ask);
}

function isRead({ method }: UpstreamRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/**
 * A URL of the upstream, from a redirect or a token realm. Throws `UPSTREAM_INVALID` unless we may
 * request it: http or https, not from https down to http, and not a private address. Names are
 * checked again at the connection (addresses.ts).
 */
export function parseTarget(text: string, from: URL, rules: TargetRules): URL {
  if (!URL.canParse(text, from)) throw invalid('the upstream names a malformed URL');
  const url = new URL(text, from);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw invalid('the upstream names a URL that is not HTTP');
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    throw invalid('the upstream redirects from https to plain http');
  }
  const isAllowed = rules.allowPrivateAddresses || url.host === rules.upstream.host;
  if (!isAllowed && isPrivateHost(url.hostname)) throw privateTarget();
  url.username = '';
  url.password = '';
  url.hash = '';
  return url;
}

/** Where a redirect leads, by the rules of `parseTarget`. Lets go of its body. */
export function targetOf(answer: UpstreamResponse, rules: TargetRules): URL {
  discard(answer);
  const location = headerOf(answer, 'location');
  if (location !== undefined) return parseTarget(location, answer.url, rules);
  throw invalid('the upstream redirects without a Location');
}

function invalid(message: string): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', message);
}

const maxErrorBytes = 64 * 1024;

/** Below 400 is no refusal, 416 is one of the range; retries handle transient ones. */
function isRefusal({ status }: UpstreamResponse): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 416 && status !== 429;
}

/**
 * True for a refusal that no registry said, such as the storage's of a URL whose signature has
 * ended. A registry says a code (distribution-spec, "Error Codes"); of a HEAD, which has no body,
 * the fields must tell. Reads the body of a refusal.
 */
async function isStoragesRefusal(answer: UpstreamResponse, method: string): Promise<boolean> {
  if (!isRefusal(answer)) return false;
  const isJson = /\bjson\b/i.test(headerOf(answer, 'content-type') ?? '');
  if (method === 'HEAD') return !isJson && headerOf(answer, 'docker-distribution-api-version') === undefined;
  return !isJson || !hasCode(await wholeBody(answer, maxErrorBytes).catch(() => new Uint8Array()));
}

function hasCode(bytes: Uint8Array): boolean {
  const [first] = listOf(field(jsonOrNone(bytes), 'errors'));
  return typeof field(first, 'code') === 'string';
}
