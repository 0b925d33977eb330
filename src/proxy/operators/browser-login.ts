import type { IncomingHttpHeaders } from 'node:http';
import { RegistryError } from '../../oci/errors.ts';

/** Logins of browsers, sealed so that a cookie can hold them. */
export interface SealedLogins {
  /** Resolves to undefined for a token that is too long for a cookie. */
  seal(token: string): Promise<string | undefined>;
  /** The token; undefined for a text that was not sealed here, and for a login that is over. */
  open(text: string): Promise<string | undefined>;
  /** The login is over from now on, also by a copy of the text. At this process alone. */
  end(text: string): Promise<void>;
}

/** What is looked at of a request of a browser. */
interface BrowserRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

const name = 'quayside-login';
/** The script of no page reads it, and no request of another site brings it along (RFC 6265bis). */
const attributes = 'Path=/; HttpOnly; SameSite=Strict';

/** The `Set-Cookie` value that ends the login of a browser. */
export const endedLogin = `${name}=; ${attributes}; Max-Age=0`;

/** The `Set-Cookie` value of a login; over TLS alone where the page came so. */
export function loginCookie(text: string, seconds: number, request: BrowserRequest): string {
  return `${name}=${text}; ${attributes}; Max-Age=${seconds}${isOverTls(request) ? '; Secure' : ''}`;
}

/**
 * Whether anything says that the browser speaks TLS: the origin of its page, or any of the proxies
 * on the way (`https, http`). Where they are wrong, the browser refuses the cookie, and it never
 * goes over a plain connection.
 */
function isOverTls({ headers }: BrowserRequest): boolean {
  const { origin = '', forwarded = '', 'x-forwarded-proto': schemes = '' } = headers;
  if (URL.parse(origin)?.protocol === 'https:') return true;
  const words = [schemes, forwarded]
    .flat()
    .flatMap((text) => text.split(',').flatMap((one) => one.split(';')));
  return words
    .map((word) => word.replaceAll('"', '').trim().toLowerCase())
    .some((word) => word === 'https' || word === 'proto=https');
}

/** Whether the request brings the cookie of a login along, whatever it is worth. */
export function hasLogin({ headers }: Pick<BrowserRequest, 'headers'>): boolean {
  return cookieOf(headers) !== undefined;
}

/**
 * The token that this browser logged in with; undefined without a login that counts. Throws
 * `DENIED` for a request that is not of a page of ours: a cookie alone says nothing about that.
 */
export async function browserToken(
  request: BrowserRequest,
  logins: SealedLogins,
): Promise<string | undefined> {
  const text = cookieOf(request.headers);
  if (text === undefined) return undefined;
  requireOwnPage(request);
  return logins.open(text);
}

/** Ends the login that the request brings along, also for copies of its cookie. */
export async function endLogin({ headers }: BrowserRequest, logins: SealedLogins): Promise<void> {
  const text = cookieOf(headers);
  if (text !== undefined) await logins.end(text);
}

/** Throws `DENIED` for a request that a page of another origin sent, or may have sent. */
export function requireOwnPage(request: BrowserRequest): void {
  if (!isOfOwnPage(request))
    throw new RegistryError('DENIED', 'the login of a browser counts for pages of this server alone');
}

/**
 * Browsers name the origin of a page in each request that changes something (WHATWG Fetch, section
 * 3.2), and in all requests over TLS or loopback how that origin is related (Fetch Metadata, 2.3).
 */
function isOfOwnPage({ method, headers }: BrowserRequest): boolean {
  const { host, origin, 'sec-fetch-site': site } = headers;
  const isReading = method === 'GET' || method === 'HEAD';
  if (site !== undefined && site !== 'same-origin' && !(isReading && site === 'none')) return false;
  if (origin !== undefined) return hostOf(origin) === host;
  return isReading || site === 'same-origin';
}

function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host;
}

/** Of two cookies of the name neither counts: one of them is not ours. */
function cookieOf({ cookie = '' }: IncomingHttpHeaders): string | undefined {
  const found = cookie
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`));
  const [only] = found;
  return only === undefined || found.length > 1 ? undefined : only.slice(name.length + 1) || undefined;
}
