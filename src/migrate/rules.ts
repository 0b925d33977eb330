// Room `migrate`: makes the objects of a cluster name images where they are now. In: rules and an
// API server. Out: what became of each object. Imports: image-streams, kubernetes, mirror/batch,
// mirror/references, oci.

import { MappingError } from '../mirror/batch/mapping.ts';
import { parsePullSpec } from '../mirror/references/pull-spec.ts';
import { RegistryError } from '../oci/errors.ts';
import { canonicalHost } from './place-rules.ts';

/** Where images are. `docker.io` also for what names no registry; `library/alpine` in full. */
export interface MovedImage {
  readonly registry: string;
  readonly name: string;
}

/** An image that an object names. */
export interface NamedImage extends MovedImage {
  readonly tag?: string;
  readonly digest?: string;
}

/** What one word, or one line of a mapping file, makes of places. Undefined: it does not fit. */
export interface ReferenceRule {
  /** A reference that it fits. */
  readonly sample: string;
  /** The only place that it fits, `registry/name`. Such rules come after those without. */
  readonly at?: string;
  /** Of what is below a place whole: a login, a repository. */
  place(place: MovedImage): MovedImage | undefined;
  image(image: NamedImage): NamedImage | undefined;
  /** Whether it maps tags of the image's repository, and the image is named by digest. */
  narrows(image: NamedImage): boolean;
}

/** All rules together: the first that fits counts. */
export interface ReferenceRules {
  /** The reference as it is to be; the same where no rule fits, and for what is no reference. */
  reference(text: string): string;
  /** The same for a repository: what a tag-less `dockerImageRepository` names. */
  repository(text: string): string;
  /** The name of a login, as a pull secret has it: `quay.io`, `https://quay.io/v1/team`. */
  login(key: string): string;
  /** Whether the reference stays only because it names a digest, and its line a tag. */
  isPinned(text: string): boolean;
}

/** Throws `MappingError` where a second run would change again what the first one changed. */
export function createReferenceRules(rules: readonly ReferenceRule[]): ReferenceRules {
  const all = together(rules);
  const leading = rules.flatMap(({ sample }) => againText(all, sample) ?? []);
  if (leading.length > 0) throw new MappingError(leading.map((text) => `the mappings lead on: ${text}`));
  return all;
}

/** What a second run would do to what a first one made of the reference; undefined for nothing. */
export function againText({ reference }: ReferenceRules, text: string): string | undefined {
  const to = reference(text);
  const again = reference(to);
  return again === to ? undefined : `${text} becomes ${to}, and a second run would make it ${again}`;
}

function together(rules: readonly ReferenceRule[]): ReferenceRules {
  const general = rules.filter(({ at }) => at === undefined);
  const byPlace = Map.groupBy(rules, ({ at }) => at);
  // A mapping file may have thousands of lines, and a cluster a hundred thousand images.
  const near = ({ registry, name }: MovedImage) => byPlace.get(`${registry}/${name}`) ?? [];
  const image = (named: NamedImage) =>
    firstOf(general, (rule) => rule.image(named)) ?? firstOf(near(named), (rule) => rule.image(named));
  const place = (named: MovedImage) =>
    firstOf(general, (rule) => rule.place(named)) ?? firstOf(near(named), (rule) => rule.place(named));

  function moved(text: string, move: (named: NamedImage) => NamedImage | undefined): string {
    const named = namedImage(text);
    const to = named && move(named);
    return named === undefined || to === undefined || isSame(named, to) ? text : imageText(to);
  }

  return {
    reference: (text) => moved(text, image),
    repository: (text) => moved(text, (named) => (isWhole(named) ? place(named) : image(named))),
    login(key) {
      const named = loginPlace(key);
      const to = named && place(named);
      return named === undefined || to === undefined || isSame(named, to) ? key : loginText(to);
    },
    isPinned(text) {
      const named = namedImage(text);
      if (named === undefined || image(named) !== undefined) return false;
      return near(named).some((rule) => rule.narrows(named));
    },
  };
}

function firstOf<Found>(
  rules: readonly ReferenceRule[],
  find: (rule: ReferenceRule) => Found | undefined,
): Found | undefined {
  for (const rule of rules) {
    const found = find(rule);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Undefined for what names no image of a registry: such a text is left as it is. */
function namedImage(text: string): NamedImage | undefined {
  try {
    const { medium, location, repository, tag, digest, glob } = parsePullSpec(text);
    if (medium !== 'registry' || glob !== undefined || text.includes('://')) return undefined;
    return {
      registry: location,
      name: repository,
      ...(tag === undefined ? {} : { tag }),
      ...(digest === undefined ? {} : { digest }),
    };
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

function imageText({ registry, name, tag, digest }: NamedImage): string {
  return `${registry}/${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The name that every spelling of a login has: `quay.io` of `https://quay.io/v2/`. */
export function loginName(key: string): string {
  const place = loginPlace(key);
  return place === undefined ? key : loginText(place);
}

function isWhole({ tag, digest }: NamedImage): boolean {
  return tag === undefined && digest === undefined;
}

function isSame(a: NamedImage, b: NamedImage): boolean {
  return a.registry === b.registry && a.name === b.name && a.tag === b.tag && a.digest === b.digest;
}

/** An empty key stands for Docker Hub; `/v1/` and `/v2/` are names of the API, not of images. */
function loginPlace(key: string): MovedImage | undefined {
  const written = key === '' ? 'index.docker.io' : key;
  const address = /^https?:\/\//.test(written) ? written : `https://${written}`;
  if (!URL.canParse(address)) return undefined;
  // Of the text, not of the URL: that drops the port 443, and decodes names.
  const [host = '', ...path] = address.slice(address.indexOf('://') + 3).split('/');
  const [first] = path;
  const parts = first === 'v1' || first === 'v2' ? path.slice(1) : path;
  return { registry: canonicalHost(host), name: parts.filter((part) => part !== '').join('/') };
}

/** Clients know the login of Docker Hub by another name. */
function loginText({ registry, name }: MovedImage): string {
  if (registry === 'docker.io')
    return name === '' ? 'https://index.docker.io/v1/' : `index.docker.io/${name}`;
  return name === '' ? registry : `${registry}/${name}`;
}
