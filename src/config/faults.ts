import { defined } from '../base/text/defined.ts';

/** Where a setting stands: keys, and positions in lists. */
export type FaultPath = readonly (string | number)[];

/** One thing that is wrong with a configuration. */
export interface Fault {
  /** The setting in its written form: `upstreams["quay.io"].retries`; empty for the whole file. */
  readonly path: string;
  /** The line of the file, from 1; absent when the setting is not in it. */
  readonly line?: number;
  /** The file, where the settings come from several. Default: the one that the error names. */
  readonly file?: string;
  /** What is wrong and what would be right. Never the content of a file that a setting names. */
  readonly message: string;
}

/** A fault before it is known which line that is. */
export interface ConfigRefusal {
  readonly path: FaultPath;
  readonly message: string;
}

/** A contradiction. `about`: every setting it follows from, besides the one it is reported at. */
export interface Contradiction extends ConfigRefusal {
  readonly about?: readonly FaultPath[];
}

/** One contradiction where `isWrong`, else none. */
export function contradictionIf(
  isWrong: boolean,
  path: FaultPath,
  message: string,
  about?: readonly FaultPath[],
): Contradiction[] {
  return isWrong ? [{ path, message, ...defined({ about }) }] : [];
}

/** A configuration that must not be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly fileName: string;
  readonly faults: readonly Fault[];

  constructor(fileName: string, faults: readonly Fault[]) {
    super(faults.map((fault) => faultLine(fileName, fault)).join('\n'));
    this.fileName = fileName;
    this.faults = faults;
  }
}

/** The fault in the form of compilers, for editors: `FILE:LINE: path: message`. */
export function faultLine(fileName: string, { path, line, file = fileName, message }: Fault): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return path === '' ? `${place}: ${message}` : `${place}: ${path}: ${message}`;
}

/** The path as one would write it, with quotes around keys that hold dots. */
export function pathText(path: FaultPath): string {
  return path.map(segmentText).join('').replace(/^\./, '');
}

/** True when `path` is `outer` or inside of it. */
export function isWithin(path: FaultPath, outer: FaultPath): boolean {
  return outer.every((segment, index) => path[index] === segment);
}

function segmentText(segment: string | number): string {
  if (typeof segment === 'number') return `[${segment}]`;
  return /^[A-Za-z_][\w-]*$/.test(segment) ? `.${segment}` : `[${JSON.stringify(segment)}]`;
}
