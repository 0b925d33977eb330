import { freshFile } from '../../base/state/watched-file.ts';
import { createDownloads } from '../../upstream/download/downloads.ts';
import type { Dispatch, UpstreamRequest } from '../../upstream/exchange.ts';
import { createAgents } from '../../upstream/http/agents.ts';
import type { UpstreamCredentialFiles } from '../../upstream/http/options.ts';
import { followed } from '../../upstream/http/redirect.ts';
import { transport } from '../../upstream/http/transport.ts';
import { credentialsFrom } from '../../upstream/login/credentials.ts';
import { authenticated } from '../../upstream/login/login.ts';
import { createUpstreamTokens } from '../../upstream/login/tokens.ts';
import { hostHeader, type LoadTarget } from './target.ts';

interface WireOptions {
  readonly target: LoadTarget;
  /** Until the head of an answer, and between two pieces of a body, milliseconds. */
  readonly firstByteTimeoutMs: number;
  readonly progressTimeoutMs: number;
  /** An HTTP request goes out, tokens and redirects counted. */
  readonly sent: () => void;
}

/** The connections of one node and its logins: nothing is shared with another node. */
export interface Wire {
  /** One try: logged in, redirects followed, no retry. */
  readonly send: Dispatch;
  close(): Promise<void>;
}

const connectTimeoutMs = 10_000;
const maxRedirects = 10;

/** Nothing is connected before the first request. */
export function createWire({ target, sent, ...times }: WireOptions): Wire {
  const upstream = new URL(target.url);
  const rules = { upstream, allowPrivateAddresses: true };
  const closing = new AbortController();
  const { caFile } = target;
  const agents = createAgents({
    ...rules,
    env: {},
    proxy: 'none',
    connectTimeoutMs,
    ...(caFile === undefined ? {} : { caFile }),
  });
  const downloads = createDownloads();
  const bare = transport({
    ...times,
    name: upstream.host,
    agents,
    downloads,
    events: {
      requestSent: sent,
      requested: () => {},
      retried: () => {},
      received: () => {},
      breakerChanged: () => {},
    },
  });
  const named = byName(bare, target);
  const credentials = credentialsFrom(filesOf(target), hostsOf(target));
  const tokens = createUpstreamTokens({ send: named, method: 'GET', now: Date.now, closing: closing.signal });
  const login = authenticated({ ...rules, send: named, credentials, tokens });
  const own = target.tokenFile === undefined ? login : withToken(named, target.tokenFile);
  return {
    send: followed({ ...rules, maxRedirects, own, foreign: bare, guest: bare }),
    async close() {
      closing.abort(new Error('the load is over'));
      downloads.close();
      await agents.close();
    },
  };
}

/** A host that only the target knows by name is reached at the target's address. */
function byName(send: Dispatch, target: LoadTarget): Dispatch {
  const host = hostHeader(target);
  if (host === undefined) return send;
  const { protocol, host: address, origin } = new URL(target.url);
  return (ask) => {
    const isNamed = ask.url.host === host;
    if (!isNamed && ask.url.origin !== origin) return send(ask);
    const url = new URL(ask.url);
    if (isNamed) Object.assign(url, { protocol, host: address });
    return send({ ...ask, url, headers: { ...ask.headers, host } });
  };
}

function withToken(send: Dispatch, file: string): Dispatch {
  const token = freshFile(file, (text) => text.trim());
  return async (ask: UpstreamRequest) => {
    const authorization = `Bearer ${await token()}`;
    return send({ ...ask, headers: { ...ask.headers, authorization } });
  };
}

function filesOf(target: LoadTarget): UpstreamCredentialFiles | undefined {
  const { authFile, usernameFile, passwordFile } = target;
  if (authFile !== undefined) return { authFile };
  if (usernameFile === undefined || passwordFile === undefined) return undefined;
  return { usernameFile, passwordFile };
}

/** The names under which auth files may know it. */
function hostsOf(target: LoadTarget): readonly string[] {
  const host = hostHeader(target);
  const { host: address } = new URL(target.url);
  return host === undefined ? [address] : [host, address];
}
