import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

/**
 * The body of one GET, under whatever host name `headers` say. Throws when the answer is not 200.
 */
export async function lookUp(url: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const asked = request(url, { headers }).end();
  const [answer]: IncomingMessage[] = await once(asked, 'response');
  if (answer === undefined) throw new Error(`no answer from ${url}`);
  const body = await text(answer);
  if (answer.statusCode === 200) return body;
  throw new Error(`${url} answered ${answer.statusCode}: ${body.slice(0, 500)}`);
}
