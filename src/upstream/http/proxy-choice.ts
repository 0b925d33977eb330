import { BlockList, isIP } from 'node:net';

type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL, or undefined for none. `setting` is the upstream's own: a URL, or `none`;
 * otherwise the environment decides as in curl and Go: `HTTPS_PROXY` or `HTTP_PROXY` by scheme,
 * exceptions in `NO_PROXY` as hosts, domains, addresses or networks with or without a port. The
 * environment's proxy is never used for this machine itself.
 */
export function proxyFor(url: URL, setting: string | undefined, env: ProxyEnvironment): URL | undefined {
  if (setting === 'none') return undefined;
  if (setting !== undefined) return parseProxy(setting);
  const value = variable(env, url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  if (value === undefined || isLocal(url) || isExcepted(url, variable(env, 'NO_PROXY') ?? ''))
    return undefined;
  return parseProxy(value);
}

function parseProxy(text: string): URL {
  const url = text.includes('://') ? text : `http://${text}`;
  if (URL.canParse(url)) return new URL(url);
  throw new TypeError('the URL of the proxy is malformed');
}

function variable(env: ProxyEnvironment, name: string): string | undefined {
  const value = env[name.toLowerCase()] ?? env[name];
  return value === '' ? undefined : value;
}

function isLocal(url: URL): boolean {
  const host = hostOf(url);
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

function isExcepted(url: URL, list: string): boolean {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => isEntryFor(entry.toLowerCase(), hostOf(url), port));
}

function isEntryFor(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInNetwork(entry, host);
  const { name, entryPort } = partsOf(entry);
  if (entryPort !== undefined && entryPort !== port) return false;
  const domain = name.replace(/^\*?\./, '');
  return (domain === name && host === name) || host.endsWith(`.${domain}`);
}

function partsOf(entry: string): { readonly name: string; readonly entryPort?: string } {
  if (isIP(entry) !== 0) return { name: entry };
  const match = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry);
  return { name: match?.[1] ?? entry, ...(match?.[2] === undefined ? {} : { entryPort: match[2] }) };
}

function isInNetwork(entry: string, host: string): boolean {
  const [network = '', prefix = ''] = entry.split('/', 2);
  const family = isIP(host);
  if (family === 0 || isIP(network) !== family || !/^\d{1,3}$/.test(prefix)) return false;
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), kind);
  return list.check(host, kind);
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}
