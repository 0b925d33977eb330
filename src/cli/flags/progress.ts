import { Writable } from 'node:stream';
import { defined } from '../../base/text/defined.ts';
import type { Io, Output } from './io.ts';
import { type ProgressState, progressLine } from './progress-line.ts';

/** How often it is drawn, milliseconds. */
const drawMs = 200;

/** What the library draws with. */
interface Drawing {
  draw(line: string): void;
  clear(): void;
}

/**
 * The surroundings of a command with a progress below its lines, on standard error when that is a
 * terminal; elsewhere they are as they were. Both outputs take the progress away before they write,
 * so that no line is ever glued to it.
 */
export function besideProgress(io: Io, open: (stderr: Output) => Promise<Drawing> = openDrawing): Io {
  if (io.stderr.isTTY !== true) return io;
  let drawing: Drawing | undefined;
  // A line that is not ended is not drawn over.
  let isFree = true;
  const beside = (output: Output): Output => {
    if (output.isTTY !== true) return output;
    const { columns, fd } = output;
    return {
      isTTY: true,
      ...defined({ columns, fd }),
      write(text: string) {
        drawing?.clear();
        isFree = text.endsWith('\n');
        return output.write(text);
      },
    };
  };

  function progress(state: () => ProgressState): () => void {
    const startedAt = performance.now();
    let own: Drawing | undefined;
    let isOver = false;
    const draw = (): void => {
      const width = (io.stderr.columns ?? 80) - 1;
      if (isFree) own?.draw(progressLine(state(), performance.now() - startedAt).slice(0, width));
    };
    const timer = setInterval(draw, drawMs);
    timer.unref();
    void open(io.stderr).then((opened) => {
      if (isOver) return;
      [own, drawing] = [opened, opened];
      draw();
    });
    return () => {
      isOver = true;
      clearInterval(timer);
      own?.clear();
      if (drawing === own) drawing = undefined;
    };
  }

  return { ...io, stdout: beside(io.stdout), stderr: beside(io.stderr), progress };
}

/** The library knows what to erase, and how wide signs are. */
async function openDrawing(stderr: Output): Promise<Drawing> {
  const { createLogUpdate } = await import('log-update');
  const update = createLogUpdate(streamTo(stderr), { showCursor: true });
  return { draw: (line) => update(line), clear: () => update.clear() };
}

function streamTo(output: Output): Writable & { isTTY: boolean; columns: number } {
  const stream = new Writable({
    decodeStrings: false,
    write(text: unknown, _encoding, written) {
      output.write(String(text));
      written();
    },
  });
  return Object.assign(stream, { isTTY: true, columns: output.columns ?? 80 });
}
