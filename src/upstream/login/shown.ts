import type { UpstreamCredential } from '../credential.ts';
import { repositoryOf, type UpstreamRequest } from '../exchange.ts';

/** Letters of a shorter secret may be anywhere. */
const shortest = 4;

/**
 * What an answer may repeat of a request and of our login, in every form that pages, documents and
 * headers have, so that the log can quote the answer without it; the longest first. Never rejects.
 */
export async function secretsOf(
  ask: UpstreamRequest,
  credentials: (repository: string) => Promise<UpstreamCredential | undefined>,
): Promise<readonly string[]> {
  const [, value = ''] = (ask.headers?.['authorization'] ?? '').split(' ');
  const plain = Buffer.from(value, 'base64').toString();
  const form = new URLSearchParams(typeof ask.body === 'string' ? ask.body : '');
  const credential = await credentials(repositoryOf(ask.url) ?? '').catch(() => undefined);
  const secrets = [
    value,
    plain,
    plain.slice(plain.indexOf(':') + 1),
    form.get('password') ?? '',
    form.get('refresh_token') ?? '',
    ...(credential === undefined ? [] : loginTexts(credential)),
  ];
  return [...new Set(secrets.flatMap(formsOf))]
    .filter((secret) => secret.length >= shortest)
    .sort((left, right) => right.length - left.length);
}

function loginTexts(credential: UpstreamCredential): readonly string[] {
  const secret = 'password' in credential ? credential.password : credential.identityToken;
  const pair = Buffer.from(`${credential.username}:${secret}`);
  return [secret, pair.toString('base64'), pair.toString('base64url')];
}

/** As it is, and as URLs, forms, JSON and HTML write it; without the padding of base64. */
function formsOf(text: string): readonly string[] {
  return [
    text,
    text.replace(/(?<!=)=+$/, ''),
    encodeURIComponent(text),
    new URLSearchParams({ '': text }).toString().slice(1),
    JSON.stringify(text).slice(1, -1),
    ...entities.map((names) => text.replaceAll(/["&'<>]/g, (letter) => names[letter] ?? letter)),
  ];
}

/** As most writers of HTML have them: by name, with quotes or not, and quotes by number. */
const brackets = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const entities: readonly Readonly<Record<string, string>>[] = [
  brackets,
  { ...brackets, '"': '&quot;' },
  { ...brackets, '"': '&quot;', "'": '&#39;' },
  { ...brackets, '"': '&quot;', "'": '&#x27;' },
  { ...brackets, '"': '&#34;', "'": '&#39;' },
];
