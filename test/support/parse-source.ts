import { type ParseResult, type ParserOptions, parseSync, rawTransferSupported } from 'oxc-parser';

const options: ParserOptions & { readonly experimentalRawTransfer: boolean } = {
  experimentalRawTransfer: rawTransferSupported(),
};

/** The syntax tree of a source. Its nodes come from memory and not through JSON: half the time. */
export function parseSource(path: string, text: string): ParseResult {
  return parseSync(path, text, options);
}
