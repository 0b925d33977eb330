import { oneLine } from '../../base/text/one-line.ts';
import { scrubbed } from '../../base/text/redaction.ts';
import { RegistryError } from '../../oci/errors.ts';

const longestText = 300;
const deepestCause = 8;

/** The last error below that is none of ours: of the system, of TLS, of a library. */
export function causeText(error: unknown): string | undefined {
  let text: string | undefined;
  let cause = error;
  for (let depth = 0; cause instanceof Error && depth < deepestCause; depth += 1) {
    if (!(cause instanceof RegistryError)) {
      const code = 'code' in cause ? `${String(cause.code)}: ` : '';
      text = oneLine(scrubbed(`${code}${cause.message || cause.name}`), longestText);
    }
    cause = cause instanceof AggregateError ? cause.errors[0] : cause.cause;
  }
  return text;
}
