import { Expression } from './expression.ts';

const redacted = '[redacted]';

/** What a key says whose value is a credential, whatever else it says. */
const secretWord = /authorization|cookie|credential|passwd|password|secret|token|api-?key/i;
const secretParameter = /auth|credential|key|password|secret|sig|token/i;

const deepest = 6;

/** A key with a value that may be secret; the path of a file that holds a secret is none. */
function isSecretKey(key: string): boolean {
  return secretWord.test(key) && !key.toLowerCase().endsWith('file');
}

type Clean = (text: string) => string;

/**
 * Forms that a credential has wherever it appears: a scheme and what follows it (no challenge, no
 * mere word), a signed token, an OpenShift token, a field of JSON, which an error's text may quote,
 * also within a string, the user part of a URL, a signature or token in a query. What is secret by
 * its name is looked at by name, so that each expression reads a text once.
 */
const forms: readonly Clean[] = [
  (text) =>
    text.replace(
      /\b(basic|bearer)\s+(?!realm=|(?:auth|token)(?![\w.~+/=-]))[\w.~+/=-]{4,}/gi,
      `$1 ${redacted}`,
    ),
  (text) => text.replace(/\beyJ[\w-]{8,}(?:\.[\w-]*)*/g, redacted),
  (text) => text.replace(/\bsha256~[\w-]+/g, redacted),
  (text) => text.replace(/("([\w-]+)"\s*:\s*")(?:[^"\\]|\\.)+/g, withoutValue(isSecretKey)),
  (text) => text.replace(/(\\"([\w-]+)\\+"\s*:\s*\\+")[^"\\]+/g, withoutValue(isSecretKey)),
  (text) => text.replace(/:\/\/[^\s/"'\\]+@/g, `://${redacted}@`),
  (text) =>
    text.replace(
      /([?&]([\w.-]+)=)[^&\s"'\\]+/g,
      withoutValue((name) => secretParameter.test(name)),
    ),
];

/** Replaces the value behind a name that is secret, and leaves the others as they are. */
function withoutValue(isSecret: (name: string) => boolean) {
  return (whole: string, before: string, name: string): string =>
    isSecret(name) ? `${before}${redacted}` : whole;
}

/** A substring of every one of these forms: most lines have none, and need only this test. */
const suspicious = /basic|bearer|eyJ|sha256~|auth|cookie|credential|passw|secret|token|key|sig|:\/\//i;

/** The text without anything that has the form of a credential. */
export function scrubbed(text: string): string {
  if (!suspicious.test(text)) return text;
  return forms.reduce((cleaned, clean) => clean(cleaned), text);
}

/**
 * The fields of a log line, redacted: without values of secret keys; errors keep only `type`,
 * `message`, `code` and `stack`, also of their causes, as other fields may hold headers.
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
  return isSecretKey(key) ? redacted : safeValue(value, depth + 1);
}

function safeValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > deepest) return '[deeper]';
  if (value instanceof Error) return errorFields(value, depth);
  if (value instanceof Date) return value;
  if (value instanceof RegExp || value instanceof Expression || value instanceof URL) return String(value);
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
