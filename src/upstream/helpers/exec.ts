import { parseGoDuration } from '../../base/text/go-duration.ts';
import { type ImagePattern, imagePattern } from '../../base/text/image-pattern.ts';
import { field, isObject, parseJson, textOf } from '../../base/text/json.ts';
import { type Helper, type HelperAnswer, type HelperLogin, imageOf } from './answer.ts';
import { helperFailure, type RunHelper } from './docker.ts';

/** The one version of the protocol that is spoken. */
const apiVersion = 'credentialprovider.kubelet.k8s.io/v1';

/** A plugin that is asked for the login of the images that it matches. */
export interface ExecSettings {
  /** The name of its file. */
  readonly name: string;
  readonly matchImages: readonly string[];
  readonly args: readonly string[];
  /** Set for it, besides what every helper gets. */
  readonly env: Readonly<Record<string, string>>;
  /** The life of an answer that says nothing of it, milliseconds. */
  readonly keepMs: number;
}

/** A helper, and the images that it is asked for. */
export interface ExecHelper extends Helper {
  readonly images: readonly ImagePattern[];
}

/**
 * A credential provider of the kubelet's (CredentialProviderRequest on standard input,
 * CredentialProviderResponse on standard output; kubernetes.io, "Kubelet credential provider").
 */
export function execHelper({ name, matchImages, args, keepMs }: ExecSettings, run: RunHelper): ExecHelper {
  return {
    name,
    images: matchImages.map(imagePattern),
    async ask(question): Promise<HelperAnswer> {
      const request = { apiVersion, kind: 'CredentialProviderRequest', image: imageOf(question) };
      const { code, stdout, stderr } = await run(name, { args, input: `${JSON.stringify(request)}\n` });
      if (code !== 0) throw helperFailure(name, `failed (exit code ${code ?? 'none'})`, stderr);
      try {
        return answerIn(responseIn(stdout), keepMs);
      } catch (error) {
        throw helperFailure(name, error instanceof Error ? error.message : 'cannot be used', stderr);
      }
    },
  };
}

type Response = Readonly<Record<string, unknown>>;

/** Throws an Error in words that follow its name, which quotes nothing of the answer. */
function responseIn(stdout: Uint8Array): Response {
  let response: unknown;
  try {
    response = parseJson(stdout);
  } catch {
    throw new Error('answered with something that is not JSON');
  }
  const isKnown = field(response, 'apiVersion') === apiVersion;
  if (isObject(response) && isKnown && response['kind'] === 'CredentialProviderResponse') return response;
  throw new Error(`answered with something that is no CredentialProviderResponse of ${apiVersion}`);
}

function answerIn({ cacheKeyType, cacheDuration, auth }: Response, keepMs: number): HelperAnswer {
  if (cacheKeyType !== 'Image' && cacheKeyType !== 'Registry' && cacheKeyType !== 'Global')
    throw new Error('answered without a cacheKeyType of Image, Registry or Global');
  return {
    scope: cacheKeyType,
    keepMs: cacheDuration === undefined || cacheDuration === null ? keepMs : durationOf(cacheDuration),
    logins: Object.entries(isObject(auth) ? auth : {})
      .sort(([one], [other]) => (one < other ? 1 : -1))
      .map(loginOf),
  };
}

function durationOf(value: unknown): number {
  try {
    return parseGoDuration(String(value));
  } catch {
    throw new Error('answered with a cacheDuration that is no duration such as 6h0m0s');
  }
}

/** The kubelet takes the keys in reverse order, so that the longer of two paths comes first. */
function loginOf([images, login]: [string, unknown]): HelperLogin {
  const username = textOf(field(login, 'username'));
  const password = textOf(field(login, 'password'));
  if (username === undefined || password === undefined)
    throw new Error('answered with a login that lacks username or password');
  return { images: patternOf(images), credential: { username, password } };
}

function patternOf(images: string): ImagePattern {
  try {
    return imagePattern(images);
  } catch {
    throw new Error('answered with a login for something that is no image');
  }
}
