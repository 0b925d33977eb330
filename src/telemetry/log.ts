import { destination, type Logger, pino, stdTimeFunctions, symbols } from 'pino';
import { loggable, scrubbed } from '../base/text/redaction.ts';

/** Where events go: `log.info({ fields }, 'message')`. Parts of the program have a `child`. */
export type Log = Logger;

type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Takes whole lines. */
interface LogOutput {
  write(line: string): void;
}

interface LogOptions {
  /** The least important that is written. Default `info`. */
  readonly level?: LogLevel;
  readonly destination: LogOutput;
  /** The number of the worker that writes, in each line. Default: none. */
  readonly worker?: number | undefined;
}

/**
 * JSON lines with `level` as a word, `time` in ISO 8601 and `msg`. No credential is ever written:
 * fields by their name, texts by their form, errors without their other fields. Its parts follow a
 * change of its `level`, but for those with a level of their own.
 */
export function logger({ level = 'info', destination, worker }: LogOptions): Log {
  const parts = new Set<Log>();
  const log = pino(
    {
      level,
      onChild(part) {
        if (part.level === log.level) parts.add(part);
      },
      base: worker === undefined ? null : { worker },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), bindings: loggable, log: loggable },
      // An error is plain fields by then, which pino's own serializer would change again.
      serializers: { err: (fields: unknown) => fields },
      hooks: { streamWrite: scrubbed },
    },
    destination,
  );
  log.on('level-change', (changed, _value, _before, _valueBefore, changing) => {
    if (changing === log) for (const part of parts) part.level = changed;
  });
  return log;
}

/** Values that need no reduction before they are written. */
export type PlainFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * The same lines as `log.child({ component }).info(…)`, at half their cost: for the one line that
 * every request writes. At least one field; their names and the message are the caller's own
 * constants, free of secrets and of what JSON escapes. What is in the fields is scrubbed like every
 * line.
 */
export function plainLines(log: Log, component: string) {
  const stream: unknown = Reflect.get(log, symbols.streamSym);
  const output = isOutput(stream) ? stream : undefined;
  const time = isoClock();
  const source = JSON.stringify({ ...log.bindings(), component }).slice(1, -1);
  return {
    info(fields: PlainFields, message: string): void {
      if (output === undefined || !log.isLevelEnabled('info')) return;
      const told = JSON.stringify(fields).slice(1);
      output.write(scrubbed(`{"level":"info","time":"${time()}",${source},"msg":"${message}",${told}\n`));
    },
  };
}

/** The time in ISO 8601, made anew once a millisecond. */
function isoClock(): () => string {
  let now = 0;
  let text = '';
  return () => {
    if (now !== Date.now()) {
      now = Date.now();
      text = new Date(now).toISOString();
    }
    return text;
  };
}

function isOutput(value: unknown): value is LogOutput {
  return typeof value === 'object' && value !== null && 'write' in value && typeof value.write === 'function';
}

/** Lines for a file or pipe that must not block the writers; late perhaps, but in order. */
interface BufferedOutput extends LogOutput {
  /** Writes what is still here, and waits for it. Call it last. */
  flush(): void;
}

/** Lines are written at this many characters, or after this time: a write each would cost more. */
const gatheredLength = 32 * 1024;
const gatheredMs = 100;

/** An output to an open file descriptor that gathers lines, for a tenth of a second at most. */
export function createBufferedOutput(fd: number): BufferedOutput {
  const stream = destination({ dest: fd, sync: false });
  let lines: string[] = [];
  let length = 0;
  let timer: NodeJS.Timeout | undefined;

  /** The stream's own gathering measures all that it holds anew with each line. */
  const passOn = (): void => {
    clearTimeout(timer);
    timer = undefined;
    stream.write(lines.join(''));
    lines = [];
    length = 0;
  };

  return {
    write(line) {
      lines.push(line);
      length += line.length;
      timer ??= setTimeout(passOn, gatheredMs);
      if (length >= gatheredLength) passOn();
    },
    flush() {
      if (lines.length > 0) passOn();
      stream.flushSync();
    },
  };
}
