/**
 * Text from outside as one line of ASCII, fit for a terminal and a log: white space becomes one
 * space, other characters a `?`, and what is longer than `longest` characters ends in `...`.
 */
export function oneLine(text: string, longest: number): string {
  const line = text
    .slice(0, 4 * longest)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[^ -~]/g, '?')
    .trim();
  return line.length <= longest ? line : `${line.slice(0, Math.max(0, longest - 3))}...`;
}
