/** Blocks of code in documents, and what their first line says of them. */

/** A block, as in ```` ```sh run server ````. */
export interface Fence {
  readonly language: string;
  /**
   * Of a shell's block: `run` is executed by `npm run e2e -- docs`, `run server` is left running
   * there, `run cluster` is executed by `npm run e2e -- how-to` before a real API server, `example`
   * is not executed. Of YAML: the file that a reader writes it to.
   */
  readonly marks: readonly string[];
  readonly text: string;
  /** Of its first line in the document, from 1. */
  readonly line: number;
}

/** All blocks of a document, in their order. */
export function fencesOf(markdown: string): readonly Fence[] {
  const blocks = markdown.matchAll(/^([ ]*)```(\w+)([^\n`]*)\n([\s\S]*?)^[ ]*```$/gm);
  return Array.from(blocks, ({ index, 1: indent = '', 2: language = '', 3: info = '', 4: text = '' }) => ({
    language,
    marks: info.split(' ').filter((word) => word !== ''),
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    line: markdown.slice(0, index).split('\n').length,
  }));
}
