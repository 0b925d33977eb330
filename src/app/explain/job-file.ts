import { defined } from '../../base/text/defined.ts';
import { field, isObject, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import { streamStep, streamTagStatus } from '../../explain/image-stream.ts';
import { parseInput } from '../../explain/input.ts';
import type { Finding } from '../../explain/step.ts';
import { imageStreamTagText, parseImageStreamTag } from '../../image-streams/image-stream-tag.ts';
import { RegistryError } from '../../oci/errors.ts';

/** An image that a file of a job names. */
export interface JobImage {
  readonly text: string;
  /** The ImageStream of the tag, where the file has it. */
  readonly stream?: { readonly file: string; readonly object: unknown };
}

interface JobFile {
  /** Its name; `.json` means image streams. */
  readonly file: string;
  readonly content: string;
  /** The flat repository, as `quay.io/openshift/ci`. */
  readonly flat: string;
}

/**
 * The images that failed in an `imagestreams.json` or in a log, or those of `inputs` with what the
 * file says of them. Throws `NAME_INVALID` for a file that is none of a job's.
 */
export function failedImages(
  { file, content, flat }: JobFile,
  inputs: readonly string[] = [],
): readonly JobImage[] {
  const streams = streamsOf(file, content);
  return streams.length > 0 ? ofStreams(file, streams, inputs) : ofLog(content, flat, inputs);
}

/** What the file says of the tag, and the image that it points to. */
export async function jobTag(
  text: string,
  { file, object }: NonNullable<JobImage['stream']>,
): Promise<{ readonly finding: Finding; readonly image: string | undefined }> {
  const streamTag = parseImageStreamTag(text);
  const streams = { where: file, read: async () => object };
  const { finding, status } = await streamStep({ sources: { streams }, ...defined({ streamTag }) });
  const from = status?.from;
  const image = from?.kind === 'DockerImage' ? from.name : status?.current?.reference || undefined;
  return { finding, image };
}

/** None for a log. Throws `NAME_INVALID` for JSON that was cut, or that is of something else. */
function streamsOf(file: string, content: string): readonly unknown[] {
  const document = jsonOrNone(content);
  const streams = streamsIn(document);
  if (!file.endsWith('.json') || streams.length > 0) return streams;
  if (document === undefined) throw invalid(`${file} is not JSON: it may be cut`);
  const list = Array.isArray(document) ? document : field(document, 'items');
  if (!Array.isArray(list) || list.length > 0) throw invalid(`${file} has no image streams`);
  return streams;
}

/** The streams of a list, of an array, or of one object. */
function streamsIn(document: unknown): readonly unknown[] {
  const list = Array.isArray(document) ? document : listOf(field(document, 'items'));
  const all = list.length > 0 ? list : [document];
  return all.filter((each) => isObject(each) && isObject(field(each, 'metadata')) && hasTags(each));
}

function hasTags(stream: unknown): boolean {
  return (
    Array.isArray(field(field(stream, 'spec'), 'tags')) ||
    Array.isArray(field(field(stream, 'status'), 'tags'))
  );
}

function ofStreams(file: string, streams: readonly unknown[], inputs: readonly string[]): JobImage[] {
  const all = streams.flatMap((object) => tagsOf(object).map((tag) => ({ ...tag, object })));
  if (inputs.length === 0)
    return all
      .filter(({ isFailed }) => isFailed)
      .map(({ text, object }) => ({ text, stream: { file, object } }));
  return inputs.map((input) => {
    const found = all.find(({ text, tag, name }) => text === input || `${name}:${tag}` === input);
    if (found === undefined) throw invalid(`${file} has no tag ${input}`);
    return { text: found.text, stream: { file, object: found.object } };
  });
}

function tagsOf(stream: unknown) {
  const metadata = field(stream, 'metadata');
  const namespace = textOf(field(metadata, 'namespace')) ?? 'job';
  const name = textOf(field(metadata, 'name')) ?? '';
  const names = new Set([
    ...listOf(field(field(stream, 'spec'), 'tags')).flatMap((tag) => textOf(field(tag, 'name')) ?? []),
    ...listOf(field(field(stream, 'status'), 'tags')).flatMap((tag) => textOf(field(tag, 'tag')) ?? []),
  ]);
  return [...names].map((tag) => {
    const { failure, current, from } = streamTagStatus(stream, tag);
    const isFailed = failure !== undefined || (current === undefined && from !== undefined);
    return { text: imageStreamTagText({ namespace, name, tag }), name, tag, isFailed };
  });
}

const failureWord =
  /error|fail|unable|cannot|could not|not found|denied|unauthorized|forbidden|toomanyrequests|unknown/i;
const separators = /[\s"'\\()[\],;=]/;
const longestName = 600;
const longestLine = 16 * 1024;

/** Images that lines about failures name, each once, the last ones first. */
function ofLog(text: string, flat: string, inputs: readonly string[]): JobImage[] {
  if (inputs.length > 0) return inputs.map((input) => ({ text: input }));
  const found = new Set<string>();
  for (const line of text.split('\n').toReversed()) {
    const start = line.slice(0, longestLine);
    if (!failureWord.test(start)) continue;
    for (const word of start.split(separators)) {
      const name = withoutEnd(word);
      if (isImageName(name, flat)) found.add(name);
    }
  }
  return [...found].map((each) => ({ text: each }));
}

/** `name:tag` or `name@digest` with a path: of a URL or a file there is no such thing. */
function isImageName(word: string, flat: string): boolean {
  const slash = word.indexOf('/');
  const hasLabel = word.includes(':', slash) || word.includes('@sha256:', slash);
  if (slash <= 0 || !hasLabel || word.includes('://') || word.length > longestName) return false;
  try {
    return parseInput(word, { flat, readings: () => [] }).kind === 'image';
  } catch {
    return false;
  }
}

function withoutEnd(word: string): string {
  let end = word.length;
  while (end > 0 && '.:'.includes(word.charAt(end - 1))) end -= 1;
  return word.slice(0, end);
}

function invalid(message: string): RegistryError {
  return new RegistryError('NAME_INVALID', message);
}
