import { tagGlob } from '../../base/text/glob.ts';
import type { MovedImage } from './rules.ts';

/** The names of Docker Hub are one. */
export function canonicalHost(registry: string): string {
  return registry === 'index.docker.io' ? 'docker.io' : registry;
}

/** The name that every spelling of a login has: `quay.io` of `https://quay.io/v2/`. */
export function loginName(key: string): string {
  const place = loginPlace(key);
  return place === undefined ? key : loginText(place);
}

/**
 * What a login is for; undefined for what is no name of one. An empty key stands for Docker Hub;
 * `/v1/` and `/v2/` are names of the API, not of images.
 */
export function loginPlace(key: string): MovedImage | undefined {
  const written = key === '' ? 'index.docker.io' : key;
  const address = /^https?:\/\//.test(written) ? written : `https://${written}`;
  if (!URL.canParse(address.replaceAll('*', 'any'))) return undefined;
  // Of the text, not of the URL: that drops the port 443, and decodes names.
  const [host = '', ...path] = address.slice(address.indexOf('://') + 3).split('/');
  const [first] = path;
  const parts = first === 'v1' || first === 'v2' ? path.slice(1) : path;
  return { registry: canonicalHost(host), name: parts.filter((part) => part !== '').join('/') };
}

/** As clients find it: they know the login of Docker Hub by another name. */
export function loginText({ registry, name }: MovedImage): string {
  if (registry === 'docker.io')
    return name === '' ? 'https://index.docker.io/v1/' : `index.docker.io/${name}`;
  return name === '' ? registry : `${registry}/${name}`;
}

/** The key, of these, whose login a node shows for the image: the one for the longest name. */
export function coveringLogin(keys: Iterable<string>, image: MovedImage): string | undefined {
  let [found, length]: [string | undefined, number] = [undefined, -1];
  for (const key of keys) {
    const place = loginPlace(key);
    if (place === undefined || place.name.length <= length || !isBelow(image, place)) continue;
    [found, length] = [key, place.name.length];
  }
  return found;
}

/** Whether the image is one of the place. */
export function isBelow({ registry, name }: MovedImage, place: MovedImage): boolean {
  if (!isHost(registry, place.registry)) return false;
  return place.name === '' || name === place.name || name.startsWith(`${place.name}/`);
}

/** The kubelet takes `*` in a part of the host of a login, for that part of a name. */
function isHost(registry: string, pattern: string): boolean {
  if (!pattern.includes('*')) return registry === pattern;
  const [parts, wanted] = [registry.split('.'), pattern.split('.')];
  return (
    parts.length === wanted.length && wanted.every((glob, index) => tagGlob(glob).test(parts[index] ?? ''))
  );
}
