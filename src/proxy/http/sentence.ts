import { oneLine } from '../../base/text/one-line.ts';
import { RegistryError, replyBelow } from '../../oci/errors.ts';

/** skopeo, podman and docker show `message` alone: so it is one line, shorter than this. */
const longest = 299;

/** The words for a registry in messages below the proxy, whose modules know no name for it. */
const upstreamWords = /\bthe upstream\b/;
/** What fails here is no upstream's, and must not look so. */
const ownWords = /\bthe (?:store|service|stored content)\b/;

/**
 * The same error, whose message names the upstream: the one that answered, else the one that the
 * request went to. Names are those of the configuration, never an address.
 */
export function named(error: RegistryError, upstream: string): RegistryError {
  const { code, message, detail, headers, retry, retryAfterSeconds, reply, cause } = error;
  const name = replyBelow(error)?.upstream ?? upstream;
  if (ownWords.test(message)) return error;
  const text = upstreamWords.test(message)
    ? message.replace(upstreamWords, `the upstream ${name}`)
    : `${name}: ${message}`;
  return new RegistryError(code, text, { detail, headers, retry, retryAfterSeconds, reply, cause });
}

/** What the client is told: the message, and the id by which the log has more. */
export function sentence(message: string, requestId: string | undefined): string {
  const end = requestId === undefined ? '' : ` (request ${requestId})`;
  return `${oneLine(message, longest - end.length)}${end}`;
}
