import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import { type TestAuthority, testAuthority } from './certificates.ts';
import { apiAudience, type DoublePeople, doublePeople, type PeopleOptions } from './cluster-double-people.ts';
import {
  answerOf,
  type ClusterAnswer,
  type ClusterMisbehaviours,
  type ClusterRequest,
  type ClusterRequestKind,
  complaint,
  kindOf,
  type ReviewBody,
  status,
  withoutToken,
} from './cluster-double-routes.ts';
import { listening } from './listening.ts';
import type { ServedStreams } from './served-streams.ts';

export interface ClusterDoubleOptions extends Partial<PeopleOptions> {
  /**
   * Requests without a credential are `system:anonymous` (403), not unauthenticated (401). Default
   * false.
   */
  readonly allowsAnonymous?: boolean;
  /** Image streams that we may list and watch. Default: there are none. */
  readonly streams?: ServedStreams;
}

/** How a kubeconfig says who we are. */
type KubeconfigCredential = 'token' | 'token-file' | 'certificate' | 'exec' | 'none';

/**
 * A Kubernetes API server in this process: TLS, reviews, RBAC, service accounts, and everything
 * that goes wrong with them.
 */
export interface ClusterDouble extends DoublePeople {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  /** Signs the server's certificate, and those of clients that are us. */
  readonly authority: TestAuthority;
  /** Every request in order of arrival. */
  readonly requests: ClusterRequest[];
  /** Set a field and the next answer is that wrong. */
  readonly switches: ClusterMisbehaviours;
  /** The TLS connections opened so far. */
  readonly connections: number;
  /** The requests of a kind. */
  seen(kind: ClusterRequestKind): ClusterRequest[];
  /** The token that may ask: as if bound to `system:auth-delegator`. */
  ourToken(): string;
  /**
   * Writes a kubeconfig, and the files that it names, into the directory; resolves to its path.
   * Default `token-file`.
   */
  kubeconfig(directory: string, credential?: KubeconfigCredential): Promise<string>;
  /** Another token is ours, in the token files written before too; the old one is refused. */
  rotateToken(): Promise<void>;
  close(): Promise<void>;
}

/** Everything that one request needs. */
interface Double {
  readonly people: DoublePeople;
  readonly switches: ClusterMisbehaviours;
  readonly requests: ClusterRequest[];
  readonly allowsAnonymous: boolean;
  readonly streams: ServedStreams | undefined;
  /** How many requests came over a connection, by its socket. */
  readonly served: WeakMap<object, number>;
  ourToken: string;
  url: string;
}

/** Starts the double on a free loopback port. */
export async function clusterDouble(options: ClusterDoubleOptions = {}): Promise<ClusterDouble> {
  const authority = testAuthority();
  const double: Double = {
    people: doublePeople({ issuer: 'https://kubernetes.default.svc', ...options }),
    switches: {},
    requests: [],
    allowsAnonymous: options.allowsAnonymous === true,
    streams: options.streams,
    served: new WeakMap(),
    ourToken: `ours-${randomUUID()}`,
    url: '',
  };
  const server = createServer(
    { ...authority.issued(), ca: authority.cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      answer(double, request, response).catch(() => response.destroy());
    },
  );
  server.keepAliveTimeout = 60_000;
  let connections = 0;
  server.on('secureConnection', () => {
    connections += 1;
  });
  const { host, close } = await listening(server);
  double.url = `https://${host}`;
  const tokenFiles = new Set<string>();
  return {
    ...double.people,
    url: double.url,
    authority,
    requests: double.requests,
    switches: double.switches,
    get connections() {
      return connections;
    },
    seen: (kind) => double.requests.filter((request) => request.kind === kind),
    ourToken: () => double.ourToken,
    async kubeconfig(directory, credential = 'token-file') {
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, 'ca.crt'), authority.cert);
      await writeFile(join(directory, 'token'), double.ourToken);
      tokenFiles.add(join(directory, 'token'));
      const user = await userOf(credential, directory, double.ourToken, authority);
      const path = join(directory, 'kubeconfig');
      await writeFile(path, JSON.stringify(kubeconfigOf(double.url, user)));
      return path;
    },
    async rotateToken() {
      double.ourToken = `ours-${randomUUID()}`;
      await Promise.all([...tokenFiles].map((file) => writeFile(file, double.ourToken)));
    },
    close,
  };
}

async function answer(double: Double, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { socket, method = '', url: path = '' } = request;
  const { switches } = double;
  const nth = double.served.get(socket) ?? 0;
  double.served.set(socket, nth + 1);
  if (switches.isDown === true || (switches.closesIdle === true && nth > 0)) {
    socket.destroy();
    return;
  }
  const kind = kindOf(method, path);
  const body: ReviewBody = JSON.parse((await text(request)) || '{}');
  const record = { kind, method, path, clientPort: socket.remotePort ?? 0, status: 0, ...withoutToken(body) };
  double.requests.push(record);
  if (switches.isSlow !== undefined) await pause(switches.isSlow, response);
  if (response.destroyed) return;
  const isReview = kind === 'TokenReview' || kind === 'SubjectAccessReview';
  if (isReview && isSpoiled(switches, record, response)) return;
  const refused = refusal(double, request, kind);
  if (refused === undefined && kind === 'other' && double.streams?.answer(path, response) === true) return;
  const verdict =
    refused ??
    complaintOf(kind, request, body) ??
    answerOf({ kind, path, body, people: double.people, switches, url: double.url });
  record.status = verdict.status;
  send(response, verdict.status, JSON.stringify(verdict.body), switches.retryAfter);
}

function complaintOf(
  kind: ClusterRequestKind,
  request: IncomingMessage,
  body: ReviewBody,
): ClusterAnswer | undefined {
  const { accept = '*/*', 'content-type': contentType } = request.headers;
  if (kind === 'jwks' && !/jwk-set\+json|\*\/\*/.test(accept)) return status(406, `not ${accept}`);
  const wrong = complaint(kind, contentType, body);
  return wrong === undefined ? undefined : status(wrong.status, wrong.message);
}

/** Answers as no API server should; true when it did. */
function isSpoiled(
  { answersStatus, answersHtml, answersText, retryAfter }: ClusterMisbehaviours,
  record: { status: number },
  response: ServerResponse,
): boolean {
  if (answersStatus !== undefined) record.status = answersStatus;
  else if (answersHtml === true) record.status = 200;
  else if (answersText !== undefined) record.status = 201;
  else return false;
  const page = '<!doctype html><title>Please log in</title>';
  const refused = JSON.stringify(status(record.status, 'as the switch says').body);
  send(response, record.status, answersText ?? (answersHtml === true ? page : refused), retryAfter);
  return true;
}

/**
 * Authenticates and authorizes: only our account may review; other known users may read the key
 * set.
 */
function refusal(
  { people, switches, allowsAnonymous, ourToken }: Double,
  request: IncomingMessage,
  kind: ClusterRequestKind,
): ClusterAnswer | undefined {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const isAuthorized = request.socket instanceof TLSSocket && request.socket.authorized;
  const isUs = isAuthorized || token === ourToken;
  const isAnonymous = token === undefined && allowsAnonymous;
  const isKnown = isUs || isAnonymous || people.userOf(token ?? '', [apiAudience]) !== undefined;
  if (switches.doesNotKnowUs === true || !isKnown) return status(401, 'Unauthorized');
  const isDiscovery = kind === 'jwks' || kind === 'openid-configuration';
  const mayAsk = isUs || (isDiscovery && !isAnonymous);
  return switches.forbidsUs === true || !mayAsk ? status(403, `may not ${kind}`) : undefined;
}

function send(response: ServerResponse, code: number, body: string, retryAfter: string | undefined): void {
  if (code >= 400 && retryAfter !== undefined) response.setHeader('retry-after', retryAfter);
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

async function userOf(
  credential: KubeconfigCredential,
  directory: string,
  token: string,
  authority: TestAuthority,
): Promise<object> {
  switch (credential) {
    case 'none':
      return {};
    case 'token':
      return { token };
    case 'token-file':
      return { tokenFile: 'token' };
    case 'certificate': {
      const { cert, key } = authority.issued();
      await writeFile(join(directory, 'client.crt'), cert);
      await writeFile(join(directory, 'client.key'), key);
      return { 'client-certificate': 'client.crt', 'client-key': 'client.key' };
    }
    case 'exec':
      return { exec: execOf(join(directory, 'token')) };
  }
}

/** A credential plug-in (client.authentication.k8s.io/v1) that gives out the token file. */
function execOf(tokenFile: string): object {
  const script = `TOKEN=$(cat '${tokenFile}'); printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"%s","expirationTimestamp":"2000-01-01T00:00:00Z"}}' "$TOKEN"`;
  return { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script] };
}

function kubeconfigOf(server: string, user: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'double', cluster: { server, 'certificate-authority': 'ca.crt' } }],
    users: [{ name: 'us', user }],
    contexts: [{ name: 'double', context: { cluster: 'double', user: 'us' } }],
    'current-context': 'double',
  };
}

function pause(ms: number, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(resolve, ms);
    response.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
