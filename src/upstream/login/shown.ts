import { repositoryOf, type UpstreamRequest } from '../exchange.ts';
import type { UpstreamCredential } from './credentials.ts';

/** Letters of a shorter secret may be anywhere. */
const shortest = 4;

/**
 * What an answer may repeat of a request and of our login, in every form, so that the log can quote
 * the answer without it. Never rejects.
 */
export async function secretsOf(
  ask: UpstreamRequest,
  credentials: (repository: string) => Promise<UpstreamCredential | undefined>,
): Promise<readonly string[]> {
  const [, value = ''] = (ask.headers?.['authorization'] ?? '').split(' ');
  const plain = Buffer.from(value, 'base64').toString();
  const form = new URLSearchParams(typeof ask.body === 'string' ? ask.body : '');
  const credential = await credentials(repositoryOf(ask.url) ?? '').catch(() => undefined);
  return [
    value,
    plain,
    plain.slice(plain.indexOf(':') + 1),
    form.get('password') ?? '',
    form.get('refresh_token') ?? '',
    ...(credential === undefined ? [] : formsOf(credential)),
  ].filter((secret) => secret.length >= shortest);
}

function formsOf(credential: UpstreamCredential): readonly string[] {
  const secret = 'password' in credential ? credential.password : credential.identityToken;
  const pair = `${credential.username}:${secret}`;
  return [secret, encodeURIComponent(secret), Buffer.from(pair).toString('base64')];
}
