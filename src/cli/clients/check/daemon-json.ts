import { fieldsOf, isText, jsonOrNone, listOf } from '../../../base/text/json.ts';
import { createNetworkMatcher } from '../../../base/text/networks.ts';
import type { ImageName } from '../image-name.ts';
import { ConfigurationTrouble, type Machine } from '../machine.ts';
import type { Chain, Link } from './link.ts';
import type { FindLogin } from './logins.ts';
import { certificatesFor } from './trust.ts';

interface DaemonFiles {
  readonly machine: Machine;
  /** daemon.json. */
  readonly file: string;
  readonly findLogin: FindLogin;
}

const hubServer = 'registry-1.docker.io';
/** Under which logins at it are kept. */
const hub = ['index.docker.io', 'docker.io'];

/**
 * The chain of the docker engine: for images of docker.io its mirrors, then the registry. Throws
 * `ConfigurationTrouble`.
 */
export async function daemonChain(image: ImageName, options: DaemonFiles): Promise<Chain> {
  const { machine, file } = options;
  const text = await machine.read(file);
  const settings = fieldsOf(jsonOrNone(text ?? '{}'));
  if (text !== undefined && jsonOrNone(text) === undefined)
    throw new ConfigurationTrouble(`${machine.pathOf(file)} is not JSON`);
  const insecure = listOf(settings['insecure-registries']).filter(isText);
  const isHub = image.registry === 'docker.io';
  const mirrors = isHub ? listOf(settings['registry-mirrors']).filter(isText) : [];
  const links: Link[] = [];
  for (const mirror of mirrors) links.push(await linkOf(mirror, image, insecure, options));
  const server = isHub ? hubServer : image.registry;
  links.push(await linkOf(`https://${server}`, image, insecure, options));
  return { client: 'docker', files: text === undefined ? [] : [machine.pathOf(file)], links };
}

async function linkOf(
  mirror: string,
  image: ImageName,
  insecure: readonly string[],
  { machine, file, findLogin }: DaemonFiles,
): Promise<Link> {
  const url = URL.parse(mirror);
  if (url === null) throw new ConfigurationTrouble(`registry-mirrors names ${mirror}, which is no URL`);
  const { host, hostname, protocol } = url;
  const isInsecure = insecure.includes(host) || isWithin(hostname, insecure);
  const isHub = image.registry === 'docker.io';
  const isMirror = isHub && host !== hubServer;
  return {
    location: mirror,
    host,
    schemes: protocol === 'http:' ? ['http'] : isInsecure ? ['https', 'http'] : ['https'],
    base: '/v2',
    repository: image.repository,
    isVerified: !isInsecure,
    trust: await certificatesFor(machine, ['/etc/docker/certs.d'], host),
    login: isMirror
      ? { place: machine.pathOf(file), never: `docker shows a mirror no login: let ${host} need none` }
      : await findLogin(isHub ? hub : [image.registry], image.repository),
  };
}

/** Networks among the insecure registries; loopback always is one. */
function isWithin(hostname: string, insecure: readonly string[]): boolean {
  const networks = insecure.filter((text) => text.includes('/'));
  try {
    return createNetworkMatcher([...networks, '127.0.0.0/8'])(hostname.replace(/^\[|\]$/g, ''));
  } catch {
    return false;
  }
}
