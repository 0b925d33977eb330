import { fieldsOf, jsonOrNone } from '../base/text/json.ts';
import { type LoadResult, resultFormat } from './result.ts';

/** A report file, of another run too. Throws an Error that says what the text is instead. */
export function parseLoadResult(text: string): LoadResult {
  const { format } = fieldsOf(jsonOrNone(text));
  if (format === resultFormat) return jsonOrNone(text) as LoadResult;
  const is = typeof format === 'string' ? `of the format ${format.slice(0, 50)}` : 'no report of a load';
  throw new Error(`is ${is}; this version reads ${resultFormat}`);
}
