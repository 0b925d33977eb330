import { isHost, isPath, type Location } from './location.ts';

/** An image as users write it, with what docker.io leaves out filled in. */
export interface ImageName {
  /** `quay.io`, or `host:port`. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

const tagShape = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const digestShape = /^sha256:[0-9a-f]{64}$/;

/**
 * `[docker://][HOST/]REPOSITORY[:TAG][@DIGEST]`: a name without a host is of docker.io, one without
 * tag and digest has the tag `latest`. Undefined for anything else.
 */
export function parseImageName(text: string): ImageName | undefined {
  const written = text.replace(/^docker:\/\//, '');
  const at = written.indexOf('@');
  const digest = at < 0 ? undefined : written.slice(at + 1);
  const tagged = at < 0 ? written : written.slice(0, at);
  const colon = tagged.lastIndexOf(':');
  const hasTag = colon > tagged.lastIndexOf('/');
  const tag = hasTag ? tagged.slice(colon + 1) : undefined;
  const name = hasTag ? tagged.slice(0, colon) : tagged;
  const { host, path } = namedHost(name);
  const isValid =
    isHost(host) &&
    isPath(path) &&
    (tag === undefined || tagShape.test(tag)) &&
    (digest === undefined || digestShape.test(digest));
  if (!isValid) return undefined;
  return {
    registry: host,
    repository: path,
    ...(tag === undefined ? (digest === undefined ? { tag: 'latest' } : {}) : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The image as a reference with its host. */
export function imageText({ registry, repository, tag, digest }: ImageName): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function namedHost(name: string): Location {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isRegistry = first === 'localhost' || /[.:]/.test(first);
  const host = isRegistry ? first : 'docker.io';
  const path = isRegistry ? name.slice(slash + 1) : name;
  if (host !== 'docker.io' && host !== 'index.docker.io') return { host, path };
  return { host: 'docker.io', path: path.includes('/') ? path : `library/${path}` };
}
