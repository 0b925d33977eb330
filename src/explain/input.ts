import { type ImageStreamTag, parseImageStreamTag } from '../image-streams/image-stream-tag.ts';
import { isDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import {
  parseReference,
  parseRepository,
  parseTag,
  type Reference,
  type Repository,
} from '../oci/reference.ts';

/** An image as a person or a client names it. */
export interface AskedImage {
  /** The first component, where it looks like a registry: an upstream, or a host of ours. */
  readonly registry?: string;
  readonly repository: Repository;
  readonly reference: Reference;
}

/** What is to be explained. */
export type Input =
  | {
      readonly kind: 'image';
      readonly image: AskedImage;
      /** What the flat tag stands for, or what was asked for. */
      readonly streamTag?: ImageStreamTag;
      /** The tag of a stream that is only a name within a job: its own `from` has the image. */
      readonly isPipeline: boolean;
    }
  | { readonly kind: 'request'; readonly id: string };

export type ImageInput = Extract<Input, { kind: 'image' }>;

interface InputOptions {
  /** The flat repository, as `quay.io/openshift/ci`. */
  readonly flat: string;
  /** What a flat tag stands for. */
  readonly readings: (flat: string) => readonly ImageStreamTag[];
}

const longestInput = 1024;
/** As our requests are numbered: see proxy/http/request-log.ts. */
const requestShape = /^[A-Za-z0-9]{8}-[0-9a-z]{1,11}$/;
const uuidShape = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const hostShape = /^[A-Za-z0-9.-]+(?::\d{1,5})?$/;
const pipelineShape = /^(?:ci-op-[^/]*\/)?pipeline:/;

/**
 * Reads what may be explained: `namespace/name:tag`, a flat tag, a pipeline tag of a job, a pull
 * spec, a digest, a request's id. Two components with a tag are an image stream's, unless they are
 * the flat repository: another repository is named with its registry. Throws `RegistryError`.
 */
export function parseInput(text: string, options: InputOptions): Input {
  if (text.length > longestInput) throw invalid(`it is longer than ${longestInput} characters`);
  const written = text.trim().replace(/^docker:\/\//, '');
  if (written === '') throw invalid('it is empty');
  if (uuidShape.test(written))
    throw invalid(
      'it looks like an id that a client or a balancer chose; the log has ownRequestId beside it',
    );
  if (requestShape.test(written)) return { kind: 'request', id: written };
  if (pipelineShape.test(written)) return pipelineTag(written, options);
  const [registry, repository] = placeOf(options.flat);
  if (isDigest(written)) return imageInput({ registry, repository, reference: { digest: written } });
  if (!/[/:@]/.test(written)) return wordInput(written, options);
  const streamTag = parseImageStreamTag(written);
  const isStream =
    streamTag !== undefined &&
    !isRegistry(streamTag.namespace) &&
    `${streamTag.namespace}/${streamTag.name}` !== repository;
  if (isStream) return streamInput(streamTag, options);
  return specInput(written, options);
}

/** Whether the text has the form of the ids that our requests get. */
export function isRequestId(text: string): boolean {
  return requestShape.test(text);
}

/** The image as people write it. */
export function imageText({ registry, repository, reference }: AskedImage): string {
  const { tag, digest } = reference;
  const label = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return `${registry === undefined ? '' : `${registry}/`}${repository}${label}`;
}

/** The image that the stream's tag is in the flat repository. */
function streamInput(streamTag: ImageStreamTag, { flat }: Pick<InputOptions, 'flat'>): ImageInput {
  const { namespace, name, tag } = streamTag;
  const [registry, repository] = placeOf(flat);
  const reference = { tag: parseTag(`${namespace}_${name}_${tag}`) };
  return { ...imageInput({ registry, repository, reference }), streamTag };
}

/** A word alone: a flat tag where it can be one, else an image of Docker Hub. */
function wordInput(word: string, { flat, readings }: InputOptions): Input {
  const isFlat = word.includes('_');
  if (!isFlat) return specInput(`docker.io/library/${word}`, { flat, readings });
  const [registry, repository] = placeOf(flat);
  return namedImage({ registry, repository, reference: { tag: parseTag(word) } }, { flat, readings });
}

function pipelineTag(text: string, options: InputOptions): Input {
  const slash = text.indexOf('/');
  const namespace = slash < 0 ? '' : text.slice(0, slash);
  const tag = text.slice(text.indexOf(':') + 1);
  const [registry, repository] = placeOf(options.flat);
  const reference = { tag: parseTag(tag) };
  return {
    kind: 'image',
    image: { registry, repository, reference },
    streamTag: { namespace, name: 'pipeline', tag },
    isPipeline: true,
  };
}

function specInput(text: string, { flat, readings }: InputOptions): ImageInput {
  const [, name = '', tag, digest] = /^([^@]*?)(?::([^:/@]*))?(?:@(.*))?$/.exec(text) ?? [];
  const written = [tag, digest].filter((part) => part !== undefined).join('@');
  const reference = parseReference(written === '' ? 'latest' : written);
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const isHost = isRegistry(first);
  const repository = parseRepository(isHost ? name.slice(slash + 1) : name);
  const registry = isHost ? { registry: first.toLowerCase() } : {};
  return namedImage({ ...registry, repository, reference }, { flat, readings });
}

/** The image, with what its tag stands for where it is one of the flat repository. */
export function namedImage(image: AskedImage, { flat, readings }: InputOptions): ImageInput {
  const { repository, reference } = image;
  const isFlat = repository === placeOf(flat)[1] && reference.tag !== undefined;
  const [streamTag] = isFlat ? readings(reference.tag) : [];
  return { ...imageInput(image), ...(streamTag && { streamTag }) };
}

/** As clients tell a registry from the first component of a repository. */
function isRegistry(text: string): boolean {
  return text === 'localhost' || (hostShape.test(text) && /[.:]/.test(text));
}

function imageInput(image: AskedImage): ImageInput {
  return { kind: 'image', image, isPipeline: false };
}

function placeOf(flat: string): readonly [registry: string, repository: Repository] {
  const slash = flat.indexOf('/');
  return [flat.slice(0, slash), parseRepository(flat.slice(slash + 1))];
}

function invalid(why: string): RegistryError {
  return new RegistryError('NAME_INVALID', `cannot be explained: ${why}`);
}
