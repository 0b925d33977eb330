import { defined } from '../../base/text/defined.ts';
import { field, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import { parseExplanation } from '../../explain/text.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Io } from '../flags/io.ts';
import { adminListener, refusalText } from '../serve/admin-listener.ts';
import type { Explainer, ExplainWords } from './explain.ts';

/** The server gave no answer, or has no time for one: no mistake of the command line. */
export class SilentServer extends Error {
  override readonly name = 'SilentServer';
}

/**
 * Asks a running server. Its refusal is a mistake of the command line, in its own words. Throws
 * `SilentServer` for no answer, for 429, and for 5xx.
 */
export async function askedServer(words: ExplainWords, io: Io): Promise<Explainer> {
  const { config, admin, 'token-file': tokenFile, checkout, ...asked } = words;
  if (checkout !== undefined)
    throw new UsageError('--checkout is for --config: a server has mirror.imageStreams.releaseRepo');
  const { get, host } = await adminListener(
    { config: admin === undefined ? config : undefined, admin, 'token-file': tokenFile },
    io,
  );
  return {
    async explain(input) {
      const query = new URLSearchParams(
        defined({
          input,
          format: 'json',
          host: asked.host,
          as: asked.as,
          groups: asked.groups,
          cluster: asked.cluster,
        }),
      );
      const { status, text: body } = await get(`/explain?${query}`);
      if (status === undefined) throw new SilentServer(`${host} ${body}`);
      const document = jsonOrNone(body);
      const explanation = status === 200 ? parseExplanation(document) : undefined;
      if (explanation === undefined) {
        const message = `${host}: ${messageIn(document) ?? refusalText(status)}`;
        throw status === 429 || status >= 500 ? new SilentServer(message) : new UsageError(message);
      }
      return explanation;
    },
    close: async () => {},
  };
}

/** The message of an error body of the distribution spec. */
function messageIn(document: unknown): string | undefined {
  const [error] = listOf(field(document, 'errors'));
  return textOf(field(error, 'message'));
}
