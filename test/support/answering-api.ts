import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Test } from 'tap';
import { testAuthority } from './certificates.ts';
import { kubeconfigOf } from './kubeconfig.ts';
import { listening } from './listening.ts';

export type ApiAnswer = readonly [status: number, body: object];

/**
 * An API server of this process that answers with the JSON that the function gives. Resolves to a
 * login there. Ends with the test.
 */
export async function answeringApi(
  t: Test,
  answerTo: (request: IncomingMessage, body: string) => ApiAnswer,
): Promise<KubeConfig> {
  const authority = testAuthority();
  const server = createServer(authority.issued(), (request, response) => {
    void text(request).then((body) => {
      const [status, object] = answerTo(request, body);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(object));
    });
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  return kubeconfigOf(host, authority.cert);
}
