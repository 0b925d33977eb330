// Room `migrate/rules`: what mappings make of references, and of the logins for them. In: words,
// lines of mapping files. Out: references and logins as they are to be. Imports: image-streams,
// mirror/batch, mirror/references, oci.

import { MappingError } from '../../mirror/batch/mapping.ts';
import { parsePullSpec } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import { loginPlace, loginText } from './login-names.ts';
import type { LoginChange } from './logins.ts';

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
  /** Where the images go that are below both the place and what the rule maps. */
  below(place: MovedImage): MovedImage | undefined;
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
  /** What becomes of logins. */
  readonly logins: LoginChange;
  /** Where images go for which the login of this name is shown. */
  destinations(key: string): readonly MovedImage[];
  /** Whether a login for the image, or for what it is below, gets another name. */
  renamesLoginsOf(image: MovedImage): boolean;
  /** Whether the reference stays only because it names a digest, and its line a tag. */
  isPinned(text: string): boolean;
}

/** Throws `MappingError` where a second run would change again what the first one changed. */
export function createReferenceRules(
  rules: readonly ReferenceRule[],
  logins: LoginChange = { kind: 'rename' },
): ReferenceRules {
  const all = together(rules, logins);
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

function together(rules: readonly ReferenceRule[], logins: LoginChange): ReferenceRules {
  const general = rules.filter(({ at }) => at === undefined);
  const byPlace = Map.groupBy(rules, ({ at }) => at);
  // A mapping file may have thousands of lines, and a cluster a hundred thousand images.
  const near = ({ registry, name }: MovedImage) => byPlace.get(`${registry}/${name}`) ?? [];
  const image = (named: NamedImage) =>
    firstOf(general, (rule) => rule.image(named)) ?? firstOf(near(named), (rule) => rule.image(named));
  const place = (named: MovedImage) =>
    firstOf(general, (rule) => rule.place(named)) ?? firstOf(near(named), (rule) => rule.place(named));

  const login = (key: string): string => {
    const named = loginPlace(key);
    const to = named && place(named);
    return named === undefined || to === undefined || isSame(named, to) ? key : loginText(to);
  };
  const known = new Map<string, readonly MovedImage[]>();

  function moved(text: string, move: (named: NamedImage) => NamedImage | undefined): string {
    const named = namedImage(text);
    const to = named && move(named);
    return named === undefined || to === undefined || isSame(named, to) ? text : imageText(to);
  }

  return {
    reference: (text) => moved(text, image),
    repository: (text) => moved(text, (named) => (isWhole(named) ? place(named) : image(named))),
    login,
    logins,
    destinations(key) {
      const named = loginPlace(key);
      if (named === undefined) return [];
      const found = known.get(key) ?? distinct(rules.flatMap((rule) => rule.below(named) ?? []));
      known.set(key, found);
      return found;
    },
    renamesLoginsOf({ registry, name }) {
      const parts = name.split('/');
      const keys = parts.map((_, index) => [registry, ...parts.slice(0, index + 1)].join('/'));
      return logins.kind === 'rename' && [registry, ...keys].some((key) => login(key) !== key);
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

function distinct(places: readonly MovedImage[]): readonly MovedImage[] {
  return [...new Map(places.map((place) => [`${place.registry}/${place.name}`, place])).values()];
}

/** Undefined for what names no image of a registry: such a text is left as it is. */
export function namedImage(text: string): NamedImage | undefined {
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

function isWhole({ tag, digest }: NamedImage): boolean {
  return tag === undefined && digest === undefined;
}

function isSame(a: NamedImage, b: NamedImage): boolean {
  return a.registry === b.registry && a.name === b.name && a.tag === b.tag && a.digest === b.digest;
}
