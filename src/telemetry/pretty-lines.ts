import { prettyFactory } from 'pino-pretty';

/**
 * Turns lines of the log into lines for people: `[12:00:01.123] INFO: mirror: copied {…}`. What
 * is no line of the log passes as it is.
 */
export function prettyLines(
  write: (line: string) => void,
  { hasColours }: { readonly hasColours: boolean },
): (lines: string) => void {
  const pretty = prettyFactory({
    colorize: hasColours,
    translateTime: 'HH:MM:ss.l',
    singleLine: true,
    ignore: 'component',
    messageFormat: '{if component}{component}: {end}{msg}',
  });
  return (lines) => {
    for (const line of lines.split('\n')) if (line !== '') write(pretty(line));
  };
}
