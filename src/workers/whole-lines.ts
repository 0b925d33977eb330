import type { Readable } from 'node:stream';

/** Takes whole lines. */
export interface LineOutput {
  write(lines: string): unknown;
}

/** A longer line than any that is written is passed on in pieces, bytes. */
const longestLine = 1024 * 1024;

/**
 * Passes on what a stream says in whole lines, so that the lines of several streams can follow one
 * another in one output. What a process that was killed left of its last line gets an end.
 */
export function passLines(from: Readable, output: LineOutput): void {
  let rest: Buffer[] = [];
  let length = 0;
  const passOn = (bytes: Buffer): void => {
    output.write(Buffer.concat([...rest, bytes]).toString());
    rest = [];
    length = 0;
  };
  from.on('data', (chunk: Buffer) => {
    const end = chunk.lastIndexOf('\n') + 1;
    if (end > 0) passOn(chunk.subarray(0, end));
    if (end === chunk.byteLength) return;
    rest.push(chunk.subarray(end));
    length += chunk.byteLength - end;
    if (length > longestLine) passOn(Buffer.alloc(0));
  });
  // It closes then, and the process that wrote is gone or writes no more.
  from.on('error', () => undefined);
  from.once('close', () => {
    if (length > 0) passOn(Buffer.from('\n'));
  });
}
