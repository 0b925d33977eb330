/** What stands in place of a credential. */
const redacted = '[redacted]';

/** Keys whose values are credentials, whatever else the key says. The path of a file that holds one is none. */
const secretKey = /(?:authorization|cookie|credential|passwd|password|secret|token|api-?key)(?!.*File$)/i;

const deepest = 6;

/** The same keys in JSON, which an error's text may quote. */
const jsonField =
  '[\\w-]*(?:authorization|cookie|credential|passwd|password|secret|token|apikey)[\\w-]*(?<!File)';

/**
 * Forms that a credential has wherever it appears: a scheme and what follows it (no challenge, no mere word), a signed token, an
 * OpenShift token, the user part of a URL, a signature or token in a query.
 */
const secretForms: readonly (readonly [RegExp, string])[] = [
  [/\b(basic|bearer)\s+(?!realm=|(?:auth|token)(?![\w.~+/=-]))[\w.~+/=-]{4,}/gi, `$1 ${redacted}`],
  [/\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/g, redacted],
  [/\bsha256~[\w-]+/g, redacted],
  [new RegExp(`("${jsonField}"\\s*:\\s*")(?:[^"\\\\]|\\\\.)+`, 'gi'), `$1${redacted}`],
  [new RegExp(`(\\\\+"${jsonField}\\\\+"\\s*:\\s*\\\\+")[^"\\\\]+`, 'gi'), `$1${redacted}`],
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/"'@\\]+@/gi, `$1${redacted}@`],
  [/([?&][\w.-]*(?:auth|credential|key|password|secret|sig|token)[\w.-]*=)[^&\s"'\\]+/gi, `$1${redacted}`],
];

/** Something that every one of these forms holds: most lines have none of it, and are done after one look. */
const suspicious = /basic|bearer|eyJ|sha256~|auth|cookie|credential|passw|secret|token|key|sig|:\/\//i;

/** The text without anything that has the form of a credential. */
export function scrubbed(text: string): string {
  if (!suspicious.test(text)) return text;
  return secretForms.reduce((clean, [form, instead]) => clean.replace(form, instead), text);
}

/**
 * The fields of a log line, fit to be written: values of secret keys are gone, errors are reduced to what they say
 * (`type`, `message`, `code`, `stack` and the same of their causes), never their other fields, which may hold headers.
 */
export function loggable(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return fieldsOf(fields, 0);
}

function fieldsOf(fields: object, depth: number): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) safe[key] = fieldOf(key, value, depth);
  return safe;
}

function fieldOf(key: string, value: unknown, depth: number): unknown {
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return value;
  return secretKey.test(key) ? redacted : safeValue(value, depth + 1);
}

function safeValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > deepest) return '[deeper]';
  if (value instanceof Error) return errorFields(value, depth);
  if (value instanceof Date) return value;
  if (value instanceof RegExp || value instanceof URL) return String(value);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Symbol.iterator in value) return Array.from(iterable(value), (item) => safeValue(item, depth + 1));
  return fieldsOf(value, depth);
}

function* iterable(value: object): Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set || value instanceof Map) yield* value;
}

function errorFields(error: Error, depth: number): Record<string, unknown> {
  return {
    type: error.name,
    message: error.message,
    ...('code' in error ? { code: error.code } : {}),
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: safeValue(error.cause, depth + 1) }),
    ...(error instanceof AggregateError ? { errors: safeValue(error.errors, depth + 1) } : {}),
  };
}
