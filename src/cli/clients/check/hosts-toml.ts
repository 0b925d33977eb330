import { validateHeaderName, validateHeaderValue } from 'node:http';
import { dirname, isAbsolute, join } from 'node:path';
import { type Fields, fieldsOf, isText, listOf } from '../../../base/text/json.ts';
import type { ImageName } from '../image-name.ts';
import { ConfigurationTrouble, type Machine } from '../machine.ts';
import type { Chain, Link } from './link.ts';
import type { FindLogin } from './logins.ts';
import { certificatesFor, type Trust } from './trust.ts';

interface HostsFiles {
  readonly machine: Machine;
  /** The folder of `config_path`, with one folder for each registry. */
  readonly folder: string;
  readonly findLogin: FindLogin;
}

/**
 * The chain of containerd: the hosts of the registry's hosts.toml in their order, then its server.
 * Throws `ConfigurationTrouble`.
 */
export async function hostsChain(image: ImageName, options: HostsFiles): Promise<Chain> {
  const { machine, folder } = options;
  const found = await hostsToml(image.registry, options);
  const server = serverOf(image.registry);
  if (found === undefined) {
    const trust = await certificatesFor(machine, [folder], image.registry);
    const link = await linkOf(server, {}, { image, options, trust });
    return { client: 'containerd', files: [], links: [link] };
  }
  const { file, toml } = found;
  const links: Link[] = [];
  for (const [url, table] of Object.entries(fieldsOf(toml['host'])))
    links.push(
      await linkOf(url, fieldsOf(table), { image, options, trust: await trustOf(file, table, machine) }),
    );
  const own = isText(toml['server']) ? toml['server'] : server;
  links.push(await linkOf(own, toml, { image, options, trust: await trustOf(file, toml, machine) }));
  return { client: 'containerd', files: [machine.pathOf(file)], links };
}

/** A folder by the registry's name, with `_port_` for what a name may not hold, or `_default`. */
async function hostsToml(registry: string, { machine, folder }: HostsFiles) {
  const written = registry.replace(/:(\d+)$/, '_$1_');
  for (const name of [registry, written, '_default']) {
    const file = `${folder}/${name}/hosts.toml`;
    const toml = await machine.toml(file);
    if (toml !== undefined) return { file, toml };
  }
  return undefined;
}

function serverOf(registry: string): string {
  return `https://${registry === 'docker.io' ? 'registry-1.docker.io' : registry}`;
}

interface LinkParts {
  readonly image: ImageName;
  readonly options: HostsFiles;
  readonly trust: Trust;
}

async function linkOf(text: string, table: Fields, { image, options, trust }: LinkParts): Promise<Link> {
  const url = urlOf(text);
  const { capabilities, skip_verify: isUnverified, override_path: isPathWhole, header } = table;
  const able = capabilities === undefined ? ['pull', 'resolve'] : listOf(capabilities);
  const missing = image.digest === undefined ? ['pull', 'resolve'] : ['pull'];
  const lacks = missing.filter((capability) => !able.includes(capability));
  const path = url.pathname.endsWith('/') ? url.pathname.slice(0, -1) : url.pathname;
  const headers = headersOf(header, text);
  return {
    location: text,
    host: url.host,
    schemes: [url.protocol === 'http:' ? 'http' : 'https'],
    base: isPathWhole === true || path.endsWith('/v2') ? path : `${path}/v2`,
    repository: image.repository,
    ...(url.host === image.registry || serverOf(image.registry) === url.origin
      ? {}
      : { namespace: image.registry }),
    ...(headers === undefined ? {} : { headers }),
    isVerified: isUnverified !== true,
    trust,
    login: await options.findLogin([url.host], image.repository),
    ...(lacks.length === 0 ? {} : { skipped: `capabilities are without "${lacks.join('", "')}"` }),
  };
}

function urlOf(text: string): URL {
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `https://${text}`);
  if (url !== null) return url;
  throw new ConfigurationTrouble(`hosts.toml names ${text}, which is no URL`);
}

function headersOf(header: unknown, of: string): Readonly<Record<string, string>> | undefined {
  const entries = Object.entries(fieldsOf(header)).map(([name, value]) => {
    return [name, sendable(name, [value].flat().map(String).join(', '), of)] as const;
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** The value may be a secret: the message says only whose it is. */
function sendable(name: string, value: string, of: string): string {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return value;
  } catch {
    throw new ConfigurationTrouble(`the header ${name} of ${of} in hosts.toml cannot be sent`);
  }
}

/** `ca` and `client` name files, relative to the hosts.toml; `client` may be a list of pairs. */
async function trustOf(file: string, table: unknown, machine: Machine): Promise<Trust> {
  const { ca, client } = fieldsOf(table);
  const place = `ca = "FILE" in ${machine.pathOf(file)}`;
  const text = async (name: unknown): Promise<string> => {
    const path = isAbsolute(String(name)) ? String(name) : join(dirname(file), String(name));
    const found = await machine.read(path);
    if (found === undefined)
      throw new ConfigurationTrouble(`${machine.pathOf(path)}, of ${place}, is not there`);
    return found;
  };
  const authorities: string[] = [];
  for (const name of [ca ?? []].flat()) authorities.push(await text(name));
  const [pair] = [client ?? []].flat(1);
  if (pair === undefined) return { authorities, place };
  const [cert, key] = [pair].flat();
  return { authorities, place, own: { cert: await text(cert), key: await text(key ?? cert) } };
}
