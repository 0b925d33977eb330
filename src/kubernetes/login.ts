import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { shared } from '../base/flow/single-flight.ts';
import { ApiFailure } from './failure.ts';
import type { Kubeconfig } from './kubeconfig.ts';

/** One way to the API: where, over which TLS, and as whom. */
export interface ClusterLogin {
  readonly server: URL;
  /** The `proxy-url` of the kubeconfig. */
  readonly proxy?: string;
  readonly tls: LoginTls;
  /** `Authorization` and impersonation. Never logged. */
  readonly headers: Readonly<Record<string, string>>;
}

interface LoginTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** Our login of this moment; throws `ApiFailure` (`not-allowed-to-ask`) when there is none. */
type Logins = () => Promise<ClusterLogin>;

/** Makes logins from a kubeconfig by the library; a plug-in runs once for all who wait. */
export function createLogins(config: Kubeconfig): Logins {
  return shared(async () => {
    try {
      return await loginOf(await config());
    } catch (error) {
      // What a parser complains of may be a credential.
      const cause = error instanceof SyntaxError ? undefined : error;
      const problem = 'cannot be asked: the credentials of this service cannot be read';
      throw new ApiFailure('not-allowed-to-ask', problem, { cause });
    }
  });
}

async function loginOf(config: KubeConfig): Promise<ClusterLogin> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig has no cluster');
  return {
    server: new URL(cluster.server),
    ...(cluster.proxyUrl === undefined ? {} : { proxy: cluster.proxyUrl }),
    tls: {
      ...textField('ca', options.ca),
      ...textField('cert', options.cert),
      ...textField('key', options.key),
      ...textField('servername', options.servername),
    },
    headers: headersOf(options),
  };
}

function headersOf({ headers = {}, auth }: RequestOptions): Readonly<Record<string, string>> {
  const texts = Object.entries(headers).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name.toLowerCase(), value]] : [],
  );
  const basic =
    typeof auth === 'string' ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
  return { ...basic, ...Object.fromEntries(texts) };
}

function textField<Name extends string>(
  name: Name,
  value: unknown,
): { readonly [N in Name]?: string } | object {
  return typeof value === 'string' || value instanceof Uint8Array ? { [name]: value.toString() } : {};
}
