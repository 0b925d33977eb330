import { field, isText } from '../../base/text/json.ts';
import { scrubbed } from '../../base/text/redaction.ts';
import type { ConditionFinding } from '../../conditions/condition.ts';
import { RegistryError } from '../../oci/errors.ts';

const longestMessage = 500;

/** A finding that all is well. */
export function good(reason: string, message: string): ConditionFinding {
  return { status: 'True', reason, message };
}

/** A finding with the cause of a failure: its code as the reason, else `fallback`. */
export function bad(message: string, error: unknown, fallback: string): ConditionFinding {
  const { code, text } = causeOf(error);
  return {
    status: 'False',
    reason: code ?? fallback,
    message: `${message}${text === '' ? '' : `: ${text}`}`,
  };
}

/** The deepest code of an error, and its messages from the outside in, without secrets. */
function causeOf(error: unknown): { readonly code: string | undefined; readonly text: string } {
  const texts: string[] = [];
  let code: string | undefined;
  for (let cause = error; cause instanceof Error && texts.length < 5; cause = cause.cause) {
    const own: unknown = field(cause, 'code');
    // Ours are for clients, and say little of the cause.
    if (isText(own) && /^\w+$/.test(own) && !(cause instanceof RegistryError)) code = own;
    if (cause.message !== '' && !texts.includes(cause.message)) texts.push(cause.message);
  }
  return { code, text: scrubbed(texts.join(': ')).slice(0, longestMessage) };
}
