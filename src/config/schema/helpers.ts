import Type from 'typebox';
import { imagePattern } from '../../base/text/image-pattern.ts';
import { fieldsOf, isObject } from '../../base/text/json.ts';
import { leaf } from './leaf.ts';
import { closed, ms, section, timerMs } from './leaves.ts';

/** A program in the form of the kubelet's credential providers (`credentialprovider…/v1`). */
const execHelper = closed({
  /** The name of its file in one of the directories. */
  name: leaf(parseProgram, { description: 'the name of a program' }),
  /** Images that it is asked for, as in a CredentialProviderConfig: `*.dkr.ecr.*.amazonaws.com`. */
  matchImages: Type.Array(leaf(parseImages, { description: 'a host, with or without a path' }), {
    minItems: 1,
  }),
  /** Its arguments. Default: none. */
  args: Type.Array(Type.String(), { default: [] }),
  /** Variables that are set for it. Default: none. Never a secret: a file may hold one. */
  env: leaf(parseVariables, { default: {}, description: 'texts by the name of a variable' }),
  /** How long an answer without `cacheDuration` is kept, in milliseconds. Default 10 min. */
  keepMs: ms({ default: '10m' }),
});

/** Programs that have logins for upstreams and for both ends of copies. */
export const helpersSchema = section({
  /**
   * Directories of the programs that may be run, absolute paths. Default: none, and a helper that
   * an auth file names is reported and not run.
   */
  directories: Type.Array(leaf(parseDirectory, { description: 'an absolute path' }), { default: [] }),
  /** Variables of this process that they get, by name. Default: none besides `PATH`, `HOME`. */
  environment: Type.Array(leaf(parseVariable, { description: 'the name of a variable' }), { default: [] }),
  /** The time of a run, in milliseconds; then its process group is killed. Default 10 s. */
  timeoutMs: timerMs({ default: '10s' }),
  /** How long the answer of docker's helpers is kept, in milliseconds. Default 5 min. */
  keepMs: ms({ default: '5m' }),
  /** Asked where no file has a login; the first whose `matchImages` fit. Default: none. */
  exec: Type.Array(execHelper, { default: [] }),
});

function parseProgram(value: unknown): string {
  if (typeof value === 'string' && /^[a-z0-9-]{1,64}$/.test(value)) return value;
  throw new Error('must be the name of a program, of a-z, 0-9 and - alone, without its directory');
}

function parseImages(value: unknown): string {
  return imagePattern(String(value)).text;
}

function parseDirectory(value: unknown): string {
  if (typeof value === 'string' && value.startsWith('/')) return value;
  throw new Error('must be the absolute path of a directory');
}

function parseVariable(value: unknown): string {
  if (typeof value === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(value)) return value;
  throw new Error('must be the name of an environment variable, without a value');
}

function parseVariables(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(fieldsOf(value));
  const isFine = isObject(value) && entries.every(([, text]) => typeof text === 'string');
  if (!isFine) throw new Error('must be texts by the names of environment variables');
  return Object.fromEntries(entries.map(([name, text]) => [parseVariable(name), String(text)]));
}
