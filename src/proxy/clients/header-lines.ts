/** The number of lines of a header field, by its lower-case name: Node hides the second. */
export function headerLineCount(rawHeaders: readonly string[], field: string): number {
  let lines = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === field.length && name.toLowerCase() === field) lines += 1;
  }
  return lines;
}
