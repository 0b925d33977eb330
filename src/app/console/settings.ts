import { Expression } from '../../base/text/expression.ts';
import { scrubbed } from '../../base/text/redaction.ts';

/** Names of settings whose texts are credentials. Files that hold one are named by `…File`. */
const secret = /password|passwd|secret|token|credential|accessKey|apiKey/i;
const isFileName = /Files?$/;
/** What programs are given, any of which may be secret. */
const given: ReadonlySet<string> = new Set(['args', 'env']);
const hidden = '(not shown)';
const deepest = 12;

/** The settings as plain values, without what is secret or has the form of a credential. */
export function shownSettings(value: unknown, name = '', depth = 0): unknown {
  if (depth > deepest || (given.has(name) && typeof value === 'string')) return hidden;
  if (typeof value === 'string')
    return secret.test(name) && !isFileName.test(name) ? hidden : scrubbed(value);
  if (value instanceof Expression || value instanceof RegExp) return scrubbed(value.source);
  if (value === Number.POSITIVE_INFINITY) return 'no limit';
  if (Array.isArray(value)) return value.map((item) => shownSettings(item, name, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      shownSettings(inner, given.has(name) ? name : key, depth + 1),
    ]),
  );
}
