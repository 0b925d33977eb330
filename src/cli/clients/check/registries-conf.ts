import { field, fieldsOf, listOf, textOf } from '../../../base/text/json.ts';
import { type ImageName, imageText } from '../image-name.ts';
import { ConfigurationTrouble, type Machine } from '../machine.ts';
import type { Chain, Link } from './link.ts';
import type { FindLogin } from './logins.ts';
import { certificatesFor } from './trust.ts';

interface RegistriesFiles {
  readonly machine: Machine;
  readonly client: 'podman' | 'cri-o';
  /** Tried in order: the first that exists is the main file. */
  readonly mainFiles: readonly string[];
  /** All that end in `.conf` count, later ones over earlier ones. */
  readonly folders: readonly string[];
  readonly findLogin: FindLogin;
}

/** A table `[[registry]]` (containers-registries.conf(5)). */
interface RegistryTable {
  readonly prefix: string;
  readonly location: string;
  readonly isInsecure: boolean;
  readonly isBlocked: boolean;
  readonly mirrors: readonly MirrorTable[];
}

interface MirrorTable {
  readonly location: string;
  readonly isInsecure: boolean;
  /** `all`, `digest-only` or `tag-only`. */
  readonly pulls: string;
}

/**
 * The chain of podman, skopeo and CRI-O: the mirrors of the table with the longest matching prefix,
 * then its own location. Throws `ConfigurationTrouble`.
 */
export async function registriesChain(image: ImageName, options: RegistriesFiles): Promise<Chain> {
  const { machine, client } = options;
  const found = await tablesOf(options);
  const table = tableFor(image, [...found.tables.values()]);
  const places = table === undefined ? [sourceOf(image)] : placesOf(image, table);
  const links: Link[] = [];
  for (const place of places) links.push(await linkAt(place, image, options));
  return { client, files: found.files.map(machine.pathOf), links };
}

async function tablesOf({ machine, mainFiles, folders }: RegistriesFiles) {
  const tables = new Map<string, RegistryTable>();
  const files: string[] = [];
  const add = async (file: string): Promise<boolean> => {
    const toml = await machine.toml(file);
    if (toml === undefined) return false;
    files.push(file);
    for (const entry of listOf(toml['registry'])) {
      const table = tableOf(entry, machine.pathOf(file));
      tables.set(table.prefix, table);
    }
    return true;
  };
  for (const file of mainFiles) if (await add(file)) break;
  for (const folder of folders)
    for (const name of await machine.list(folder)) if (name.endsWith('.conf')) await add(`${folder}/${name}`);
  return { tables, files };
}

function tableOf(entry: unknown, file: string): RegistryTable {
  const location = textOf(field(entry, 'location')) ?? '';
  const prefix = textOf(field(entry, 'prefix')) ?? location;
  if (prefix === '')
    throw new ConfigurationTrouble(`${file}: a [[registry]] has neither prefix nor location`);
  const digestOnly = field(entry, 'mirror-by-digest-only') === true;
  const mirrors = listOf(field(entry, 'mirror')).map((mirror) => {
    const at = textOf(field(mirror, 'location'));
    if (at === undefined) throw new ConfigurationTrouble(`${file}: a mirror of ${prefix} has no location`);
    return {
      location: at,
      isInsecure: field(mirror, 'insecure') === true,
      pulls: textOf(field(mirror, 'pull-from-mirror')) ?? (digestOnly ? 'digest-only' : 'all'),
    };
  });
  const { insecure, blocked } = fieldsOf(entry);
  return { prefix, location, mirrors, isInsecure: insecure === true, isBlocked: blocked === true };
}

function tableFor(image: ImageName, tables: readonly RegistryTable[]): RegistryTable | undefined {
  const matching = tables.filter(({ prefix }) => matchedLength(image, prefix) !== undefined);
  return matching.toSorted((one, other) => other.prefix.length - one.prefix.length)[0];
}

/** How much of the image's text a prefix stands for: a whole host, or whole components. */
function matchedLength(image: ImageName, prefix: string): number | undefined {
  const text = imageText(image);
  if (prefix.startsWith('*.'))
    return image.registry.endsWith(prefix.slice(1)) ? image.registry.length : undefined;
  const isEnd = ['/', ':', '@', ''].includes(text.charAt(prefix.length));
  return text.startsWith(prefix) && isEnd ? prefix.length : undefined;
}

interface PlaceOfImage {
  /** Host and repository. */
  readonly name: string;
  readonly isInsecure: boolean;
  readonly skipped?: string;
}

function placesOf(image: ImageName, table: RegistryTable): readonly PlaceOfImage[] {
  const { registry, repository, digest } = image;
  const rest = `${registry}/${repository}`.slice(matchedLength(image, table.prefix) ?? 0);
  const unlike = digest === undefined ? 'digest-only' : 'tag-only';
  const wanted = digest === undefined ? 'tag' : 'digest';
  const mirrors = table.mirrors.map(({ location, isInsecure, pulls }) => ({
    name: location + rest,
    isInsecure,
    ...(pulls === unlike
      ? { skipped: `pull-from-mirror = "${pulls}", and this is a pull by ${wanted}` }
      : {}),
  }));
  const own = table.location === '' ? `${registry}/${repository}` : table.location + rest;
  const blocked = table.isBlocked ? { skipped: `blocked = true for ${table.prefix}` } : {};
  return [...mirrors, { name: own, isInsecure: table.isInsecure, ...blocked }];
}

function sourceOf({ registry, repository }: ImageName): PlaceOfImage {
  return { name: `${registry}/${repository}`, isInsecure: false };
}

async function linkAt(place: PlaceOfImage, image: ImageName, options: RegistriesFiles): Promise<Link> {
  const slash = place.name.indexOf('/');
  const [host, repository] = [place.name.slice(0, slash), place.name.slice(slash + 1)];
  const folders = ['/etc/containers/certs.d', '/etc/docker/certs.d'];
  const { skipped } = place;
  const keys = host === 'docker.io' ? ['docker.io', 'index.docker.io'] : [host];
  return {
    location: place.name,
    host: host === 'docker.io' ? 'registry-1.docker.io' : host,
    schemes: place.isInsecure ? ['https', 'http'] : ['https'],
    base: '/v2',
    repository: slash < 0 ? image.repository : repository,
    isVerified: !place.isInsecure,
    trust: await certificatesFor(options.machine, folders, host),
    login: await options.findLogin(keys, repository),
    ...(skipped === undefined ? {} : { skipped }),
  };
}
