import { dirname, resolve } from 'node:path';
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node';
import { type Current, type RereadOptions, readOnChange } from '../base/state/watched-file.ts';

export interface KubeconfigOptions extends RereadOptions {
  /** Default: the cluster we run in, as our service account. */
  readonly kubeconfigFile?: string;
  /** The context of that file. Default: its current one. */
  readonly context?: string;
  /** The folder that `/var/run/secrets/kubernetes.io/serviceaccount` lies in. Default: the root. */
  readonly root?: string;
}

/** Where a cluster's API is, and who we are there, at this moment. */
export type Kubeconfig = () => Promise<KubeConfig>;

type Library = typeof import('@kubernetes/client-node');

/** A kubeconfig's entries for one context, and the files that they leave things to. */
interface Entries {
  readonly cluster: Cluster;
  readonly user: User;
  readonly files: Files;
}

interface Files {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
}

/** What stands in the files. */
type Texts = { readonly [Name in keyof Files]?: string };

/**
 * Follows a kubeconfig and every file that it names, which may be replaced. Returns the same value,
 * with the files' contents, until one of them changes. Throws in words for the operator.
 */
export async function loadKubeconfig(options: KubeconfigOptions): Promise<Kubeconfig> {
  const library = await import('@kubernetes/client-node');
  const entries = entriesOf(library, options);
  let held: { readonly entries: Entries; readonly read: Current<KubeConfig> } | undefined;
  const current = async (): Promise<KubeConfig> => {
    const now = await entries();
    if (held?.entries !== now) held = { entries: now, read: contentsOf(library, now, options) };
    return held.read();
  };
  await current();
  return current;
}

function entriesOf(library: Library, { kubeconfigFile, context, root = '', ...options }: KubeconfigOptions) {
  if (kubeconfigFile === undefined) {
    const own = inCluster(library, root);
    return () => own;
  }
  const folder = dirname(resolve(kubeconfigFile));
  return readOnChange([kubeconfigFile], ([text = '']) => parsed(library, text, folder, context), options);
}

function inCluster(library: Library, root: string): Entries {
  const config = new library.KubeConfig();
  config.loadFromCluster(root);
  const cluster = config.getCurrentCluster();
  if (cluster === null || !URL.canParse(cluster.server))
    throw new Error('no kubeconfigFile is set, and this process does not run in a cluster');
  const token = `${root}/var/run/secrets/kubernetes.io/serviceaccount/token`;
  const files = { ca: cluster.caFile, cert: undefined, key: undefined, token };
  return { cluster: usable(cluster), user: { name: 'in-cluster' }, files };
}

function parsed(library: Library, text: string, folder: string, context: string | undefined): Entries {
  const config = new library.KubeConfig();
  const written = loaded(library, config, text);
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  if (cluster === null || user === null)
    throw new Error(`the kubeconfig lacks the cluster or user of the context ${config.getCurrentContext()}`);
  const path = (file: string | undefined | null) => (file ? resolve(folder, file) : undefined);
  const token = written.users?.find(({ name }) => name === user.name)?.user?.tokenFile;
  const files = {
    ca: path(cluster.caFile),
    cert: path(user.certFile),
    key: path(user.keyFile),
    token: path(token),
  };
  return { cluster: usable(cluster), user, files };
}

/** The library does not know `tokenFile`, which `kubectl` does. */
interface WrittenKubeconfig {
  readonly users?: readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } }[];
}

function loaded(library: Library, config: KubeConfig, text: string): WrittenKubeconfig {
  try {
    config.loadFromString(text);
    return library.loadYaml<WrittenKubeconfig>(text);
  } catch {
    // The parser's own message quotes the lines around the fault, and a token may be among them.
    throw new Error('the kubeconfig cannot be read: it is not YAML, or lacks clusters, users or contexts');
  }
}

/** An impostor of a cluster could grant rights, so TLS must be verified. */
function usable(cluster: Cluster): Cluster {
  if (!URL.canParse(cluster.server) || new URL(cluster.server).protocol !== 'https:')
    throw new Error(`the kubeconfig's server ${cluster.server} is not an https URL`);
  if (cluster.skipTLSVerify)
    throw new Error(
      'the kubeconfig sets insecure-skip-tls-verify, which is refused: anyone could impersonate the cluster',
    );
  return cluster;
}

function contentsOf(
  library: Library,
  { cluster, user, files }: Entries,
  options: RereadOptions,
): Current<KubeConfig> {
  const named = Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const paths = named.map(([, path]) => path);
  return readOnChange(
    paths,
    (texts) => {
      const text: Texts = Object.fromEntries(named.map(([name], index) => [name, texts[index] ?? '']));
      const config = new library.KubeConfig();
      config.loadFromClusterAndUser(withCa(cluster, text.ca), withSecrets(user, text));
      return config;
    },
    options,
  );
}

function withCa({ caFile: _, ...cluster }: Cluster, ca: string | undefined): Cluster {
  return ca === undefined ? cluster : { ...cluster, caData: encoded(ca) };
}

function withSecrets({ certFile: _, keyFile: __, ...user }: User, { cert, key, token }: Texts): User {
  return {
    ...user,
    ...(cert === undefined ? {} : { certData: encoded(cert) }),
    ...(key === undefined ? {} : { keyData: encoded(key) }),
    ...(token === undefined ? {} : { token: token.trim() }),
  };
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64');
}
