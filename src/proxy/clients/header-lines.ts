/**
 * How many lines a header field has; its name in lower case. Node keeps the first of two, and tells
 * nothing of the other.
 */
export function headerLineCount(rawHeaders: readonly string[], field: string): number {
  let lines = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === field.length && name.toLowerCase() === field) lines += 1;
  }
  return lines;
}
