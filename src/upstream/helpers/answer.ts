import type { ImagePattern } from '../../base/text/image-pattern.ts';
import type { UpstreamCredential } from '../credential.ts';

/** Whose login is asked for. */
export interface HelperQuestion {
  /** The host, with an unusual port, under which files know the registry. */
  readonly registry: string;
  /** Empty where the request is for no repository. */
  readonly repository: string;
}

/** What a helper said. */
export interface HelperAnswer {
  /** Which questions it answers: those for this image, for its registry, or all of them. */
  readonly scope: 'Image' | 'Registry' | 'Global';
  /** For how long it may be used, milliseconds; 0: this time only. */
  readonly keepMs: number;
  /** Of several that fit an image the first one counts. */
  readonly logins: readonly HelperLogin[];
}

export interface HelperLogin {
  /** The images that it is for. Default: all. */
  readonly images?: ImagePattern;
  readonly credential: UpstreamCredential;
}

/** A program that has logins. */
export interface Helper {
  /** The name of its file. */
  readonly name: string;
  /** Runs it. Throws `UNAVAILABLE`, and `HelperMissing` where no such program is allowed. */
  ask(question: HelperQuestion): Promise<HelperAnswer>;
}

/** No configured directory holds the program. */
export class HelperMissing extends Error {
  override readonly name = 'HelperMissing';
}

/** The image without a tag, as a kubelet names it. */
export function imageOf({ registry, repository }: HelperQuestion): string {
  return repository === '' ? registry : `${registry}/${repository}`;
}

/** The login for that image. */
export function loginIn({ logins }: HelperAnswer, question: HelperQuestion): UpstreamCredential | undefined {
  return logins.find(({ images }) => images?.test(imageOf(question)) !== false)?.credential;
}

/** Under which key the answer to a question is kept. */
export function keyOf(scope: HelperAnswer['scope'], question: HelperQuestion): string {
  if (scope === 'Global') return scope;
  return `${scope} ${scope === 'Registry' ? question.registry : imageOf(question)}`;
}
