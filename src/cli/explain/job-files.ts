import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { field, isObject, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import { streamTagStatus } from '../../explain/image-stream.ts';
import { isRequestId, parseInput } from '../../explain/input.ts';
import { imageStreamTagText } from '../../image-streams/image-stream-tag.ts';
import { qci } from '../../mirror/references/names.ts';
import { UsageError } from '../flags/arguments.ts';

/** One thing to be explained. */
export interface AskedText {
  readonly text: string;
  readonly isRequest?: boolean;
  /** The ImageStream of the tag, as a file of a job has it. */
  readonly stream?: { readonly file: string; readonly object: unknown };
}

interface AskedTexts {
  readonly texts: readonly AskedText[];
  /** A `registries.conf`. */
  readonly nodeFile?: string;
  /** Why there is nothing to explain, which is no failure. */
  readonly none?: string;
  /** Images that failed in the file, and are too many. Default: none. */
  readonly leftOut?: number;
}

const longestFile = 256 * 1024 * 1024;
const mostTexts = 10;

/**
 * The words of the command line: files that exist, and what is to be explained. A file of image
 * streams, or a log, stands for all that failed in it; with a tag beside it, for the tag.
 */
export async function askedTexts(words: readonly string[], nodeConfig?: string): Promise<AskedTexts> {
  const files: string[] = [];
  const inputs: string[] = [];
  for (const word of words) ((await isFile(word)) ? files : inputs).push(word);
  let nodeFile = nodeConfig;
  const jobFiles: string[] = [];
  for (const file of files) {
    if (file.endsWith('.conf')) nodeFile ??= file;
    else jobFiles.push(file);
  }
  if (inputs.length === 0 && jobFiles.length === 0)
    throw new UsageError('needs an image, a tag, a digest, a request id, or a file of a job');
  if (jobFiles.length > 1) throw new UsageError('takes one file of a job at a time');
  const [jobFile] = jobFiles;
  const node = nodeFile === undefined ? {} : { nodeFile };
  if (jobFile === undefined)
    return {
      ...node,
      texts: inputs.map((text) => ({ text, ...(isRequestId(text) ? { isRequest: true } : {}) })),
    };
  const content = await textIn(jobFile);
  const streams = streamsOf(jobFile, content);
  const texts = streams.length > 0 ? ofStreams(jobFile, streams, inputs) : ofLog(content, inputs);
  if (texts.length === 0 && inputs.length === 0)
    return { ...node, texts, none: `${basename(jobFile)}: no image failed in it` };
  if (inputs.length > 0) return { ...node, texts };
  return { ...node, texts: texts.slice(0, mostTexts), leftOut: Math.max(0, texts.length - mostTexts) };
}

const fileEnd = /\.(?:json|log|txt|conf)$/;
const pathStart = /^\.{0,2}\//;

/** Throws `UsageError` where the word may be a file as well as an image. */
async function isFile(word: string): Promise<boolean> {
  const found = await stat(word).catch(() => undefined);
  if (found?.isFile() !== true) return false;
  if (!fileEnd.test(word) && !pathStart.test(word) && mayBeInput(word))
    throw new UsageError(
      `${word} is a file here, and may be an image: write ./${word} for the file, or name the image with its registry`,
    );
  return true;
}

function mayBeInput(word: string): boolean {
  try {
    return parseInput(word, { flat: qci, readings: () => [] }) !== undefined;
  } catch {
    return false;
  }
}

async function textIn(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > longestFile) throw new UsageError(`${file} is larger than ${longestFile} bytes`);
  return readFile(file, 'utf8');
}

/** None for a log. Throws `UsageError` for JSON that was cut, or that is of something else. */
function streamsOf(file: string, content: string): readonly unknown[] {
  const document = jsonOrNone(content);
  const streams = streamsIn(document);
  if (!file.endsWith('.json') || streams.length > 0) return streams;
  if (document === undefined) throw new UsageError(`${file} is not JSON: it may be cut`);
  const list = Array.isArray(document) ? document : field(document, 'items');
  if (!Array.isArray(list) || list.length > 0) throw new UsageError(`${file} has no image streams`);
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

function ofStreams(file: string, streams: readonly unknown[], inputs: readonly string[]): AskedText[] {
  const all = streams.flatMap((object) => tagsOf(object).map((tag) => ({ ...tag, object })));
  if (inputs.length === 0)
    return all
      .filter(({ isFailed }) => isFailed)
      .map(({ text, object }) => ({ text, stream: { file, object } }));
  return inputs.map((input) => {
    const found = all.find(({ text, tag, name }) => text === input || `${name}:${tag}` === input);
    if (found === undefined) throw new UsageError(`${file} has no tag ${input}`);
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
function ofLog(text: string, inputs: readonly string[]): AskedText[] {
  if (inputs.length > 0) return inputs.map((input) => ({ text: input }));
  const found = new Set<string>();
  for (const line of text.split('\n').toReversed()) {
    const start = line.slice(0, longestLine);
    if (!failureWord.test(start)) continue;
    for (const word of start.split(separators)) {
      const name = withoutEnd(word);
      if (isImageName(name)) found.add(name);
    }
  }
  return [...found].map((each) => ({ text: each }));
}

/** `name:tag` or `name@digest` with a path: of a URL or a file there is no such thing. */
function isImageName(word: string): boolean {
  const slash = word.indexOf('/');
  const hasLabel = word.includes(':', slash) || word.includes('@sha256:', slash);
  if (slash <= 0 || !hasLabel || word.includes('://') || word.length > longestName) return false;
  try {
    return parseInput(word, { flat: qci, readings: () => [] }).kind === 'image';
  } catch {
    return false;
  }
}

function withoutEnd(word: string): string {
  let end = word.length;
  while (end > 0 && '.:'.includes(word.charAt(end - 1))) end -= 1;
  return word.slice(0, end);
}
