import { defined } from '../../base/text/defined.ts';
import { field, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import { parseExplanation } from '../../explain/text.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Io } from '../flags/io.ts';
import { adminListener, refusalText } from '../serve/admin-listener.ts';
import type { Explainer, ExplainWords } from './explain.ts';

/** Asks a running server. Its refusal is a mistake of the command line, in its own words. */
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
      if (status === undefined) throw new UsageError(`${host} ${body}`);
      const document = jsonOrNone(body);
      const explanation = status === 200 ? parseExplanation(document) : undefined;
      if (explanation === undefined)
        throw new UsageError(`${host}: ${messageIn(document) ?? refusalText(status)}`);
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
