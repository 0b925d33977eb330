import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';

interface LocationRules {
  readonly upstream: URL;
  readonly uploadHosts: readonly string[];
}

/**
 * The URL of an upload that the registry names, opaque but on the registry's own host or a listed
 * one: our login and the bytes of a private blob go there. A registry behind a proxy may know
 * neither the scheme nor the port that it is reached by: on its own host name both are the ones
 * that we use. Throws `UPSTREAM_INVALID`.
 */
export function parseUploadLocation(text: string, from: URL, rules: LocationRules): URL {
  const { upstream, uploadHosts } = rules;
  if (!URL.canParse(text, from)) throw invalid('the registry names a malformed URL for an upload');
  const url = new URL(text, from);
  const isListed = uploadHosts.includes(url.host);
  if (!isListed && url.hostname === upstream.hostname && url.port === '') url.port = upstream.port;
  if (!isListed && url.host !== upstream.host) throw elsewhere(url);
  if (!isListed || upstream.protocol === 'https:') url.protocol = upstream.protocol;
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw elsewhere(url);
  url.username = '';
  url.password = '';
  url.hash = '';
  return url;
}

/** The URL that closes an upload, as text: the registry's own query is sent back unchanged. */
export function closingUrl(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.search = `${location.search === '' ? '?' : `${location.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

function elsewhere({ host }: URL): RegistryError {
  const advice = 'if that is another name of it, list it (--upload-host, uploadHosts)';
  return invalid(`the registry redirects an upload to another host, ${host}: ${advice}`);
}

function invalid(message: string): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', message);
}
