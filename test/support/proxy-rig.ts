import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Test } from 'tap';
import { stringify } from 'yaml';
import { createService } from '../../src/app/app.ts';
import type { Server, Start } from '../../src/cli/serve/serve.ts';
import { proxying } from '../../src/predecessors/commands/proxy.ts';
import { recordedIo } from '../cli/io.ts';
import { testAuthority } from './certificates.ts';
import { type ClusterDouble, type ClusterDoubleOptions, clusterDouble } from './cluster-double.ts';
import { type RegistryDouble, registryDouble } from './registry-double.ts';
import type { LogLine } from './service.ts';

/** What a client of the rig sends. */
interface Call {
  /** Default `GET`. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * `quayside proxy` as the Deployment of qci-appci starts it, between a cluster and a registry that
 * are doubles.
 */
export interface ProxyRig {
  readonly cluster: ClusterDouble;
  /** Stands for quay.io. */
  readonly registry: RegistryDouble;
  /** The files that its arguments name. */
  readonly directory: string;
  /** One request over TLS, under the exposed host name, its path as it is written. */
  call(path: string, call?: Call): Promise<Response>;
  readonly log: readonly LogLine[];
}

interface ProxyRigOptions {
  /** Flags besides those of the Deployment. */
  readonly args?: readonly string[];
  readonly cluster?: ClusterDoubleOptions;
}

/** The name under which the rig is found. */
export const exposedHost = 'host:12321';
/** The pair of the robot, upstream and here. */
export const robot = { user: 'openshift+robot', password: 'robots-own-password' } as const;

/** Starts all three; they end with the test. */
export async function proxyRig(t: Test, options: ProxyRigOptions = {}): Promise<ProxyRig> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-proxy-'));
  const registry = await registryDouble();
  const cluster = await clusterDouble(options.cluster);
  registry.switches.requiresToken = robot;
  const authority = testAuthority();
  const args = await argumentsIn(directory, authority.issued(), registry.url);
  const kubeconfig = await cluster.kubeconfig(join(directory, 'cluster'));
  const stop = new AbortController();
  const io = recordedIo(stop.signal);
  const { promise: started, resolve } = Promise.withResolvers<Server>();
  const start: Start = async (config, parts) => {
    const server = await createService(config, parts);
    resolve(server);
    return server;
  };
  const code = proxying(start)([...args, `--kubeconfig=${kubeconfig}`, ...(options.args ?? [])], io);
  const { address } = await Promise.race([
    started,
    code.then((ended) => Promise.reject(new Error(`ended with ${ended}: ${io.err()}`))),
  ]);
  t.teardown(async () => {
    stop.abort();
    await code;
    await Promise.all([registry.close(), cluster.close()]);
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  return {
    cluster,
    registry,
    directory,
    call: (path, call) => called(address, authority.cert, path, call),
    get log() {
      return io
        .out()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as LogLine);
    },
  };
}

/**
 * The arguments of the original's Deployment; what they cannot say, where quay.io is, comes from a
 * file.
 */
async function argumentsIn(
  directory: string,
  { cert, key }: { readonly cert: string; readonly key: string },
  url: string,
): Promise<string[]> {
  const files = {
    'tls.crt': cert,
    'tls.key': key,
    username: robot.user,
    password: robot.password,
    token: 'a secret of the test, of thirty-two bytes or more',
    'more.yaml': stringify({
      admin: { listen: '127.0.0.1:0' },
      upstreams: { 'quay.io': { url, allowPrivateAddresses: true, retries: 0 } },
      spool: { path: join(directory, 'spool') },
    }),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return [
    '-listen-addr=127.0.0.1:0',
    `-tls-cert-file=${join(directory, 'tls.crt')}`,
    `-tls-key-file=${join(directory, 'tls.key')}`,
    `-robot-username-file=${join(directory, 'username')}`,
    `-robot-password-file=${join(directory, 'password')}`,
    `-token-secret-file=${join(directory, 'token')}`,
    `-exposed-host=${exposedHost}`,
    `--config=${join(directory, 'more.yaml')}`,
  ];
}

async function called(address: string, ca: string, path: string, call: Call = {}): Promise<Response> {
  const { hostname, port } = new URL(`https://${address}`);
  const headers = { host: exposedHost, connection: 'close', ...call.headers };
  const sent = request({
    hostname,
    port,
    path,
    ca,
    headers,
    method: call.method ?? 'GET',
    checkServerIdentity: () => undefined,
  });
  sent.end(call.body);
  const [answer] = await once(sent, 'response');
  const body = await buffer(answer);
  const { statusCode: status } = answer;
  const isBodiless = call.method === 'HEAD' || status === 204 || status === 304;
  return new Response(isBodiless ? null : body, { status, headers: fieldsOf(answer.headers) });
}

function fieldsOf(headers: IncomingHttpHeaders): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  );
}
