import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { failedImages, type JobImage } from '../../app/explain/job-file.ts';
import { isRequestId, parseInput } from '../../explain/input.ts';
import { qci } from '../../mirror/references/names.ts';
import { RegistryError } from '../../oci/errors.ts';
import { UsageError } from '../flags/arguments.ts';

/** One thing to be explained. */
export interface AskedText extends JobImage {
  readonly isRequest?: boolean;
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
  const texts = imagesIn(jobFile, content, inputs);
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

/** Throws `UsageError` for a file that is none of a job's. */
function imagesIn(file: string, content: string, inputs: readonly string[]): readonly JobImage[] {
  try {
    return failedImages({ file, content, flat: qci }, inputs);
  } catch (error) {
    if (error instanceof RegistryError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
