import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';
import { unlessAborted } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { UpstreamCredential } from '../credential.ts';
import { type Dispatch, discard, type UpstreamResponse, wholeBody } from '../exchange.ts';
import { orTryAgain, refusedBy } from '../resilience/retry.ts';
import { replyOf } from '../resilience/words.ts';
import { parseTokenAnswer, type Token } from './token-answer.ts';

/** One scope, or several with a space between them, at one token server. */
interface TokenQuestion {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scope: string | undefined;
  readonly credential: UpstreamCredential | undefined;
}

interface TokenOptions {
  readonly send: Dispatch;
  readonly method: 'GET' | 'POST';
  readonly now: () => number;
  /** Ends what is under way when the upstream is closed. */
  readonly closing: AbortSignal;
}

/** Bearer tokens: one per scope, shared by every request. */
export interface UpstreamTokens {
  /**
   * A token with some lifetime left; `isNew` if it was fetched for this call, or for one that
   * shared it. Throws `DENIED` if the token server refuses our login; TryAgain if it fails.
   */
  get(question: TokenQuestion, signal?: AbortSignal): Promise<Token & { readonly isNew: boolean }>;
  /** The registry refused this token: the next call gets another one. */
  forget(value: string): void;
}

const maxAnswerBytes = 1024 * 1024;
const maxTokens = 1_000;

/** An empty set of tokens. */
export function createUpstreamTokens(options: TokenOptions): UpstreamTokens {
  const kept = createLru<string, Token>(maxTokens);
  const asking = createSingleFlight<Token>();
  const ask = async (key: string, question: TokenQuestion): Promise<Token> => {
    const token = await newToken(question, options);
    kept.set(key, token);
    return token;
  };
  return {
    async get(question, signal) {
      const key = keyOf(question);
      const token = kept.get(key);
      if (token !== undefined && options.now() < token.staleAt) return { ...token, isNew: false };
      const asked = asking(key, () => ask(key, question));
      return { ...(await unlessAborted(asked, signal)), isNew: true };
    },
    forget(value) {
      for (const [key, token] of kept) if (token.value === value) kept.delete(key);
    },
  };
}

function keyOf({ realm, service, scope, credential }: TokenQuestion): string {
  return JSON.stringify([realm.href, service, scope, credential?.username]);
}

async function newToken(question: TokenQuestion, options: TokenOptions): Promise<Token> {
  const { credential } = question;
  const isPosted = credential !== undefined && (options.method === 'POST' || 'identityToken' in credential);
  const answer = await (isPosted ? posted(question, credential, options) : got(question, options));
  if (answer.status === 200) return parseTokenAnswer(await wholeBody(answer, maxAnswerBytes), options.now());
  if (answer.status >= 500) throw await refusedBy(answer, options.now());
  throw new RegistryError('DENIED', refusalText(answer), {
    detail: { upstreamStatus: answer.status },
    reply: await replyOf(answer),
  });
}

/** Only two statuses are about the login; another one may be about the question. */
function refusalText({ status }: UpstreamResponse): string {
  const isLogin = status === 401 || status === 403;
  return `the upstream's token server ${isLogin ? `refuses the configured credentials: it answers ${status}` : `answers a token request with ${status}`}`;
}

/** Distribution's token protocol: GET with Basic. */
async function got(
  { realm, service, scope, credential }: TokenQuestion,
  options: TokenOptions,
): Promise<UpstreamResponse> {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const each of scope?.split(' ') ?? []) url.searchParams.append('scope', each);
  if (credential !== undefined) url.searchParams.set('account', credential.username);
  const headers = credential === undefined ? {} : { authorization: basicOf(credential) };
  const answer = await options.send({ kind: 'token', method: 'GET', url, headers, signal: options.closing });
  return orTryAgain(answer, options.now());
}

/** Its OAuth2 variant: POST of a form. Without it (404, 405) a GET, if we have a password. */
async function posted(
  question: TokenQuestion,
  credential: UpstreamCredential,
  options: TokenOptions,
): Promise<UpstreamResponse> {
  const form = new URLSearchParams({ client_id: 'quayside' });
  if (question.service !== undefined) form.set('service', question.service);
  if (question.scope !== undefined) form.set('scope', question.scope);
  for (const [key, value] of Object.entries(grantOf(credential))) form.set(key, value);
  const answer = await options.send({
    kind: 'token',
    method: 'POST',
    url: question.realm,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
    signal: options.closing,
  });
  const hasNoPost = answer.status === 404 || answer.status === 405;
  if (!hasNoPost || 'identityToken' in credential) return orTryAgain(answer, options.now());
  discard(answer);
  return got(question, options);
}

function grantOf(credential: UpstreamCredential): Record<string, string> {
  if ('identityToken' in credential) {
    return { grant_type: 'refresh_token', refresh_token: credential.identityToken };
  }
  const { username, password } = credential;
  return { grant_type: 'password', username, password };
}

/** The value of `Authorization` by Basic; an identity token has no place in it. */
export function basicOf(credential: UpstreamCredential): string {
  const password = 'password' in credential ? credential.password : '';
  return `Basic ${Buffer.from(`${credential.username}:${password}`).toString('base64')}`;
}
