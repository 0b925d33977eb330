import { MappingError } from '../../mirror/batch/mapping.ts';
import { parsePullSpec } from '../../mirror/references/pull-spec.ts';
import { hostFault } from '../../mirror/references/registry-host.ts';
import { RegistryError } from '../../oci/errors.ts';
import { isRegistryName } from '../../oci/reference.ts';
import { canonicalHost, isBelow } from './login-names.ts';
import type { MovedImage, ReferenceRule } from './rules.ts';

const badForm =
  "all arguments must be of the form REGISTRY/NAME=REGISTRY/NAME, where registry or name may be '*' or a value";

/** One side of `FROM=TO`; undefined stands for `*`. */
interface PlacePattern {
  readonly registry: string | undefined;
  readonly name: string | undefined;
  /** What `name` begins with, behind which anything may follow: `team` of `team/*`. */
  readonly prefix: string | undefined;
}

/** A rule of the command line, as of `oc adm migrate`. Throws `MappingError`. */
export function parsePlaceRule(word: string): ReferenceRule {
  const equals = word.indexOf('=');
  if (equals < 0) throw fault('all arguments must be valid FROM=TO mappings');
  const [left, right] = [word.slice(0, equals), word.slice(equals + 1)];
  if (!left.includes('/') || !right.includes('/')) throw fault(badForm);
  const from = side(left, 'source');
  const to = side(right, 'target');
  if (to.registry === undefined && to.name === undefined && to.prefix === undefined)
    throw fault(`"${right}" is not a valid target: at least one change must be specified`);
  if (left === right) throw fault(`"${left}" is not valid: must target at least one field to change`);
  if (to.prefix !== undefined && from.name !== undefined)
    throw fault(`"${right}" is not a valid target: /* needs a '*' on the left, which says what follows`);
  return {
    sample: `${from.registry ?? 'any.invalid'}/${from.name ?? joined(from.prefix ?? 'any', 'name')}`,
    place: (image) => movedPlace(image, from, to),
    below: (place) => movedBelow(place, from, to),
    image: (image) => movedPlace(image, from, to),
    narrows: () => false,
  };
}

function side(text: string, kind: 'source' | 'target'): PlacePattern {
  const slash = text.indexOf('/');
  const [registry, name] = [text.slice(0, slash), text.slice(slash + 1)];
  const wrong = (why: string) => fault(`"${text}" is not a valid ${kind}: ${why}`);
  if (registry === '') throw wrong("registry must be specified (may be '*')");
  if (name === '') throw wrong("name must be specified (may be '*')");
  const problem = registry === '*' ? undefined : hostProblem(registry);
  if (problem !== undefined) throw wrong(problem);
  const host = registry === '*' ? undefined : canonicalHost(registry);
  if (name === '*') return { registry: host, name: undefined, prefix: undefined };
  const isOpen = name.endsWith('/*');
  const plain = isOpen ? name.slice(0, -2) : name;
  try {
    const spec = parsePullSpec(`${host === undefined || isOpen ? 'any.invalid' : host}/${plain}`);
    if (spec.tag !== undefined || spec.digest !== undefined || spec.glob !== undefined)
      throw wrong('name has neither tag nor digest');
    const { repository } = spec;
    return isOpen
      ? { registry: host, name: undefined, prefix: repository }
      : { registry: host, name: repository, prefix: undefined };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    throw wrong(
      name.includes('*') ? "'*' stands alone, or at the end as in team/*" : 'name is no repository name',
    );
  }
}

/** Clients take a first component that is no registry for a part of a name at docker.io. */
function hostProblem(registry: string): string | undefined {
  if (isRegistryName(registry)) return hostFault(registry);
  return `${registry} is no registry for clients: it has no dot and no port, and is not localhost`;
}

/** Undefined where the rule does not fit. A login of a whole registry has the name ''. */
function movedPlace<Image extends MovedImage>(
  image: Image,
  from: PlacePattern,
  to: PlacePattern,
): Image | undefined {
  const { registry, name } = image;
  if (from.registry !== undefined && from.registry !== registry) return undefined;
  if (from.name !== undefined && from.name !== name) return undefined;
  const rest = restOf(name, from.prefix);
  if (rest === undefined) return undefined;
  const below = to.prefix === undefined ? name : joined(to.prefix, rest);
  return { ...image, registry: to.registry ?? registry, name: to.name ?? below };
}

/** Where images go that are below both the place and what is on the left. */
function movedBelow(place: MovedImage, from: PlacePattern, to: PlacePattern): MovedImage | undefined {
  const name = from.name ?? from.prefix ?? '';
  const mapped = { registry: from.registry ?? place.registry, name };
  const isInside = name === '' ? isBelow({ ...mapped, name: place.name }, place) : isBelow(mapped, place);
  if (!isInside && !(from.name === undefined && isBelow(place, mapped))) return undefined;
  const kept = place.name.length > name.length ? place.name : name;
  return movedPlace({ registry: mapped.registry, name: kept }, from, to);
}

/** What follows the prefix; all without one. */
function restOf(name: string, prefix: string | undefined): string | undefined {
  if (prefix === undefined) return name;
  if (name === prefix) return '';
  return name.startsWith(`${prefix}/`) ? name.slice(prefix.length + 1) : undefined;
}

function joined(prefix: string, rest: string): string {
  return rest === '' ? prefix : `${prefix}/${rest}`;
}

function fault(message: string): MappingError {
  return new MappingError([message]);
}
