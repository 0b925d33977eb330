import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { field, fieldsOf, jsonOrNone, textOf } from '../../base/text/json.ts';
import { listening } from '../fronts/listening.ts';

/** An API server that accepts every token, and allows everything, until it is behind a fault. */
export interface ReviewingCluster {
  readonly url: string;
  close(): Promise<void>;
}

/** Answers TokenReview, SubjectAccessReview and `/version` on loopback, in plain HTTP. */
export async function createReviewingCluster(): Promise<ReviewingCluster> {
  const server = createServer(async (incoming, outgoing) => {
    incoming.on('error', () => undefined);
    const body = fieldsOf(jsonOrNone(await text(incoming).catch(() => '')));
    const status = statusOf(textOf(body['kind']), textOf(field(body['spec'], 'token')));
    const answer = status === undefined ? { major: '1', minor: '34' } : { ...body, status };
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  const { port, close } = await listening(server);
  return { url: `http://127.0.0.1:${port}`, close };
}

function statusOf(kind: string | undefined, token: string | undefined): object | undefined {
  if (kind === 'TokenReview') {
    const user = { username: `system:serviceaccount:drill:${token?.slice(0, 20)}`, uid: '1', groups: [] };
    return { authenticated: true, user, audiences: [] };
  }
  return kind?.endsWith('AccessReview') === true ? { allowed: true } : undefined;
}

/** The kubeconfig of a service that asks at `url`, and trusts the authority. */
export function kubeconfigFor(url: string, authority: string): string {
  const data = Buffer.from(authority).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'drill', cluster: { server: url, 'certificate-authority-data': data } }],
    users: [{ name: 'us', user: { token: 'the-token-of-the-drill' } }],
    contexts: [{ name: 'drill', context: { cluster: 'drill', user: 'us' } }],
    'current-context': 'drill',
  });
}
