import { accessRecord } from './access-log.ts';
import { ibmRecord, jsonIn, ownRecord } from './json-logs.ts';
import { LineSplitter, ObjectSplitter, type Splitter } from './records.ts';
import { registryReader } from './registry-log.ts';
import type { RecordReader } from './request.ts';

/** As `--trace-format` names them. */
export const traceFormats = ['quayside', 'ibm', 'docker-registry', 'access-log'] as const;

export type TraceFormat = (typeof traceFormats)[number];

/** How one format is read. */
interface FormatReader {
  readonly splitter: Splitter;
  readonly read: RecordReader;
}

/** A reader of a file of this format whose text begins so. */
export function readerOf(format: TraceFormat, beginning: string): FormatReader {
  switch (format) {
    case 'quayside':
      return { splitter: new LineSplitter(), read: ownRecord };
    case 'ibm':
      return { splitter: splitterOf(beginning), read: ibmRecord };
    case 'docker-registry':
      return { splitter: new LineSplitter(), read: registryReader() };
    case 'access-log':
      return { splitter: new LineSplitter(), read: accessRecord };
  }
}

/** The format of a file by its first lines; undefined when none of them is of a known one. */
export function formatOf(beginning: string): TraceFormat | undefined {
  const lines = beginning.split('\n').map((line) => line.trim());
  const isAccess = lines.some((line) => accessRecord(line) !== 'bad');
  if (lines.some((line) => line.includes('time="') && line.includes('level='))) return 'docker-registry';
  for (const line of lines) {
    const fields = jsonIn(line);
    if (fields === undefined) continue;
    if ('go.version' in fields && 'level' in fields) return 'docker-registry';
    if ('http.request.uri' in fields) return 'ibm';
    if ('component' in fields && 'msg' in fields) return 'quayside';
  }
  if (isAccess) return 'access-log';
  // Records that take several lines, or a list on a single one.
  return /"http\.request\.\w+"/.test(beginning) && beginning.includes('"timestamp"') ? 'ibm' : undefined;
}

/** A list, or records of several lines, is cut by objects; a record a line by lines. */
function splitterOf(beginning: string): Splitter {
  const [first = ''] = beginning.trimStart().split('\n', 1);
  return first.startsWith('{') && jsonIn(first) !== undefined ? new LineSplitter() : new ObjectSplitter();
}
