import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { field, jsonOrNone, textOf } from '../../../base/text/json.ts';
import { type Challenge, parseChallenges } from '../../../oci/challenge.ts';
import type { UpstreamCredential } from '../../../upstream/credential.ts';
import type { Link, LinkFinding } from './link.ts';
import { bodyOf, connectionTrouble, LinkTrouble, refusal } from './link-trouble.ts';
import { secureContextOf } from './trust.ts';

interface Wish {
  readonly step: LinkFinding['step'];
  /** Below the base: `/<repository>/manifests/…`; empty for a ping. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Requests at one link, with the login that the client would show there. */
export interface LinkSession {
  /** A GET; follows redirects. Throws `LinkTrouble` for every status but 200 and 206. */
  get(wish: Wish): Promise<IncomingMessage>;
  close(): void;
}

export interface SessionOptions {
  /** For `HTTPS_PROXY` and its like. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The longest silence, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const mostRedirects = 5;
const loopback = /^(?:localhost|127\.[\d.]+|\[::1\])(?::\d+)?$/;

/** Finds the scheme that the host speaks, as the client does. Throws `LinkTrouble`. */
export async function openSession(link: Link, options: SessionOptions): Promise<LinkSession> {
  let failure: unknown;
  for (const scheme of link.schemes) {
    const session = new HttpSession(link, scheme, options);
    try {
      await session.ping();
      return session;
    } catch (error) {
      session.close();
      failure = error;
    }
  }
  throw failure;
}

class HttpSession implements LinkSession {
  readonly #link: Link;
  readonly #options: SessionOptions;
  readonly #root: string;
  readonly #proxy: { readonly proxyEnv?: NodeJS.ProcessEnv };
  readonly #http: HttpAgent;
  /** Made with the first connection that needs it. */
  #https: HttpsAgent | undefined;
  #authorization: string | undefined;

  constructor(link: Link, scheme: 'https' | 'http', options: SessionOptions) {
    this.#link = link;
    this.#options = options;
    this.#root = `${scheme}://${link.host}`;
    this.#proxy = loopback.test(link.host) ? {} : { proxyEnv: { ...options.env } };
    this.#http = new HttpAgent({ keepAlive: true, ...this.#proxy });
  }

  /** Whatever answers is there; what it says of a ping without a login is no refusal. */
  async ping(): Promise<void> {
    const answer = await this.#send(new URL(`${this.#root}${this.#link.base}/`), 'connection', {});
    answer.resume();
  }

  async get({ step, path, headers = {} }: Wish): Promise<IncomingMessage> {
    const { base, namespace } = this.#link;
    const url = new URL(`${this.#root}${base}${path}`);
    if (namespace !== undefined) url.searchParams.set('ns', namespace);
    const own = { ...this.#link.headers, ...headers };
    let answer = await this.#send(url, step, { ...own, ...this.#login() });
    if (answer.statusCode === 401) {
      const challenges = parseChallenges(answer.headers['www-authenticate']);
      const wasShown = this.#authorization !== undefined;
      this.#authorization = await this.#loggedIn(challenges, answer, wasShown);
      answer.resume();
      answer = await this.#send(url, step, { ...own, ...this.#login() });
    }
    return this.#followed(answer, url, step, headers);
  }

  close(): void {
    this.#http.destroy();
    this.#https?.destroy();
  }

  #agentFor(isTls: boolean): HttpAgent {
    if (!isTls) return this.#http;
    const { isVerified, trust } = this.#link;
    this.#https ??= new HttpsAgent({
      keepAlive: true,
      rejectUnauthorized: isVerified,
      secureContext: secureContextOf(trust),
      ...this.#proxy,
    });
    return this.#https;
  }

  #login(): Readonly<Record<string, string>> {
    return this.#authorization === undefined ? {} : { authorization: this.#authorization };
  }

  /** What the challenge asks for; throws the refusal where there is nothing more to show. */
  async #loggedIn(
    challenges: readonly Challenge[],
    answer: IncomingMessage,
    wasShown: boolean,
  ): Promise<string> {
    const { credential } = this.#link.login;
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined && !wasShown) return `Bearer ${await this.#token(bearer)}`;
    const isBasic = challenges.some(({ scheme }) => scheme === 'basic');
    if (isBasic && !wasShown && credential !== undefined && 'password' in credential)
      return basic(credential);
    throw await refusal(answer, 'login');
  }

  async #token({ parameters }: Challenge): Promise<string> {
    const { realm = '', service } = parameters;
    const { credential } = this.#link.login;
    const url = URL.parse(realm);
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new LinkTrouble({
        verdict: 'wrong',
        step: 'login',
        reason: `the challenge names no URL for tokens: ${realm}`,
      });
    if (url.protocol === 'http:' && url.origin !== this.#root && credential !== undefined)
      throw new LinkTrouble({
        verdict: 'wrong',
        step: 'login',
        reason: `the login is not sent to ${url.origin}: it has no TLS, and is not ${this.#root}`,
      });
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', parameters['scope'] ?? `repository:${this.#link.repository}:pull`);
    const isPair = credential !== undefined && 'password' in credential;
    const answer = await this.#send(url, 'login', isPair ? { authorization: basic(credential) } : {});
    if (answer.statusCode !== 200) throw await refusal(answer, 'login');
    const said = jsonOrNone(await bodyOf(answer));
    const token = textOf(field(said, 'token')) ?? textOf(field(said, 'access_token'));
    if (token !== undefined) return token;
    throw new LinkTrouble({
      verdict: 'wrong',
      step: 'login',
      status: 200,
      reason: `${url.host} answered a login without a token`,
    });
  }

  async #followed(
    first: IncomingMessage,
    from: URL,
    step: LinkFinding['step'],
    headers: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    let [answer, url] = [first, from];
    for (let count = 0; isRedirect(answer); count += 1) {
      answer.resume();
      const target = URL.parse(answer.headers.location ?? '', url);
      if (target === null || count === mostRedirects)
        throw new LinkTrouble({
          verdict: 'wrong',
          step,
          reason: `${url.host} redirects in a way that cannot be followed`,
        });
      const shown = target.origin === from.origin ? this.#login() : {};
      [answer, url] = [await this.#send(target, step, { ...headers, ...shown }), target];
    }
    if (answer.statusCode === 200 || answer.statusCode === 206) return answer;
    throw await refusal(answer, answer.statusCode === 401 ? 'login' : step);
  }

  #send(
    url: URL,
    step: LinkFinding['step'],
    headers: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    const { timeoutMs, signal } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const isTls = url.protocol === 'https:';
    const agent = this.#agentFor(isTls);
    const send = isTls ? httpsRequest : httpRequest;
    const outgoing = send(url, {
      agent,
      signal,
      headers: { 'user-agent': 'quayside-clients-check', ...headers },
    });
    outgoing.setTimeout(timeoutMs, () =>
      outgoing.destroy(Object.assign(new Error('silence'), { code: 'ETIMEDOUT' })),
    );
    outgoing.once('response', resolve).once('error', (error) => {
      reject(signal.aborted ? signal.reason : connectionTrouble(error, url, step, timeoutMs));
    });
    outgoing.end();
    return promise;
  }
}

function isRedirect({ statusCode = 0, headers }: IncomingMessage): boolean {
  return [301, 302, 303, 307, 308].includes(statusCode) && headers.location !== undefined;
}

function basic(credential: UpstreamCredential): string {
  const secret = 'password' in credential ? credential.password : '';
  return `Basic ${Buffer.from(`${credential.username}:${secret}`).toString('base64')}`;
}
