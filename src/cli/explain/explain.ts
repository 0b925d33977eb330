// Room `cli/explain`: quayside explain: why a pull fails, asked of a running server or of settings
// and store. In: images, requests, files of a job. Out: steps as text or JSON. Imports: every room
// below.

import { jobTag } from '../../app/explain/job-file.ts';
import { type Explanation, onlyStep, replaced } from '../../explain/explain.ts';
import { untold } from '../../explain/step.ts';
import { exitCodes, explanationJson, explanationText } from '../../explain/text.ts';
import { RegistryError } from '../../oci/errors.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import type { Io, Run } from '../flags/io.ts';
import { explainFlags } from '../pages/explain.ts';
import { type AskedText, askedTexts } from './job-files.ts';
import { clientStep } from './node-config.ts';
import { offline } from './offline.ts';
import { askedServer, SilentServer } from './server.ts';

/** What the options say, beside what is to be explained. */
export interface ExplainWords {
  readonly config?: string | undefined;
  readonly admin?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly host?: string | undefined;
  readonly as?: string | undefined;
  readonly groups?: string | undefined;
  readonly cluster?: string | undefined;
  readonly checkout?: string | undefined;
}

/** Explains what one text names. */
export interface Explainer {
  explain(text: string): Promise<Explanation>;
  close(): Promise<void>;
}

/** `quayside explain`: 0 all well, 1 something is wrong and named, 3 it cannot be told. */
export const explain: Run = async (args, io) => {
  const { values, words: given } = parseFlags(explainFlags, args);
  const { output, 'node-config': nodeConfig, ...words } = values;
  if (words.groups !== undefined && words.as === undefined) throw new UsageError('--groups needs --as USER');
  const { texts, nodeFile, none, leftOut = 0 } = await askedTexts(given, nodeConfig);
  if (none !== undefined) {
    io.stdout.write(output === 'json' ? `${JSON.stringify({ explanations: [] })}\n` : `${none}\n`);
    return 0;
  }
  const explainer = await explainerOf(words, io, texts);
  try {
    const found: Explanation[] = [];
    for (const asked of texts) {
      const one = await explainedBy(explainer, asked, nodeFile).catch((error: unknown) =>
        complained(error, asked, { io, isAlone: texts.length === 1 }),
      );
      if (one !== undefined) found.push(one);
    }
    if (leftOut > 0)
      io.stderr.write(`${leftOut} more images failed in it and are not explained: name them\n`);
    io.stdout.write(
      output === 'json' ? jsonText(found) : found.map((one) => explanationText(one, Date.now())).join('\n'),
    );
    const code = codeOf(found);
    const isAll = leftOut === 0 && found.length === texts.length;
    return code === exitCodes.well && !isAll ? exitCodes.unknown : code;
  } catch (error) {
    if (error instanceof RegistryError) throw new UsageError(error.message, { cause: error });
    throw error;
  } finally {
    await explainer.close();
  }
};

/** What cannot be explained leaves the others; a mistake in one alone is one of the command. */
function complained(
  error: unknown,
  { text }: AskedText,
  { io, isAlone }: { readonly io: Io; readonly isAlone: boolean },
): undefined {
  const isMistake = error instanceof RegistryError || error instanceof UsageError;
  if (!(error instanceof SilentServer || (isMistake && !isAlone))) throw error;
  io.stderr.write(`${text}: ${error.message}\n`);
}

/** Requests are remembered by the server alone. */
function explainerOf(words: ExplainWords, io: Io, texts: readonly AskedText[]): Promise<Explainer> {
  const isOfServer = words.admin !== undefined || texts.some(({ isRequest }) => isRequest);
  return isOfServer ? askedServer(words, io) : offline(words, io);
}

async function explainedBy(
  { explain: ask }: Explainer,
  { text, stream }: AskedText,
  nodeFile: string | undefined,
): Promise<Explanation> {
  const job = stream && (await jobTag(text, stream));
  const image = job === undefined ? text : job.image;
  const found = image === undefined ? undefined : await ask(image);
  if (job === undefined && found !== undefined)
    return nodeFile === undefined ? found : withClient(found, nodeFile, ask);
  const { finding } = job ?? { finding: untold('') };
  if (found === undefined)
    return onlyStep(text, 'image stream', finding, 'which image the tag stands for is not known');
  const whole = replaced(found, 'image stream', finding);
  const named = { ...whole, notes: [...whole.notes, `${text} points to ${image}`] };
  return nodeFile === undefined ? named : withClient(named, nodeFile, ask);
}

async function withClient(
  found: Explanation,
  nodeFile: string,
  ask: Explainer['explain'],
): Promise<Explanation> {
  return replaced(found, 'client', await clientStep(nodeFile, found.image, ask));
}

function jsonText(found: readonly Explanation[]): string {
  const [only] = found;
  const document =
    found.length === 1 && only !== undefined
      ? explanationJson(only)
      : { explanations: found.map(explanationJson) };
  return `${JSON.stringify(document)}\n`;
}

function codeOf(found: readonly Explanation[]): number {
  const verdicts = found.map(({ verdict }) => verdict);
  if (verdicts.includes('wrong')) return exitCodes.wrong;
  return verdicts.includes('unknown') ? exitCodes.unknown : exitCodes.well;
}
