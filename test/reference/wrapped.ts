const widest = 100;

/** A text in lines within 100 columns, broken only at the separator, which stays at their ends. */
export function wrapped(text: string, separator: string): string {
  const lines: string[] = [];
  for (const part of text.split(separator)) {
    const last = lines.at(-1);
    const joined = `${last}${separator}${part}`;
    if (last !== undefined && `${joined}${separator.trimEnd()}`.length <= widest) lines.splice(-1, 1, joined);
    else lines.push(part);
  }
  return lines.join(`${separator.trimEnd()}\n`);
}
