import { isTag, type Tag } from '../oci/reference.ts';

/** What a tag of a repository of CI images is for. */
export type TagClass =
  /** Keeps what a tag named before it was overwritten; `at` in ms since the epoch. */
  | { readonly kind: 'kept'; readonly at: number; readonly of: Tag | undefined }
  | { readonly kind: 'payload' | 'marker' | 'request'; readonly version: string }
  | { readonly kind: 'component'; readonly version: string; readonly component: string }
  | { readonly kind: 'other' };

const keptShape = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)_prune_(.+)$/;
const mirrorMark = '__ci_images_mirror__';
const brokenEnd = '_broken';

/** Prefixes of the tags of release payloads. */
export const payloadPrefix = 'rc_payload__';
export const markerPrefix = `preserved__${payloadPrefix}`;
export const requestPrefix = `remove__${payloadPrefix}`;
const componentMark = '__component__';

/**
 * Reads a tag's name. A component is told before a payload, whose pattern it fits too. A time that
 * does not exist, such as 20241399000000, keeps its tag.
 */
export function classOf(tag: string): TagClass {
  const [, ...parts] = keptShape.exec(tag) ?? [];
  if (parts.length > 0) return keptClass(parts);
  const version = after(markerPrefix, tag);
  if (version !== undefined) return { kind: 'marker', version };
  const requested = after(requestPrefix, tag);
  if (requested !== undefined) return { kind: 'request', version: requested };
  const payload = after(payloadPrefix, tag);
  if (payload === undefined) return { kind: 'other' };
  const at = payload.indexOf(componentMark);
  if (at < 0) return { kind: 'payload', version: payload };
  const component = payload.slice(at + componentMark.length);
  if (at === 0 || component === '') return { kind: 'other' };
  return { kind: 'component', version: payload.slice(0, at), component };
}

/** The tag of a payload's component. */
export function componentTag(version: string, component: string): string {
  return `${payloadPrefix}${version}${componentMark}${component}`;
}

function keptClass(parts: readonly string[]): TagClass {
  const [year = '', month = '', day = '', hour = '', minute = '', second = '', name = ''] = parts;
  const text = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const at = Date.parse(text);
  if (Number.isNaN(at) || new Date(at).toISOString() !== text) return { kind: 'other' };
  const inside = name.startsWith(mirrorMark) ? name.slice(mirrorMark.length) : name;
  const of = inside.endsWith(brokenEnd) ? inside.slice(0, -brokenEnd.length) : inside;
  return { kind: 'kept', at, of: isTag(of) ? of : undefined };
}

const dayMs = 86_400_000;

/** Days after which tags that keep something go, unless the command line says otherwise. */
export const defaultTtlDays = 5;

/** When the tag of that time is expired first, ms since the epoch. */
export function expiresAt(at: number, ttlDays: number): number {
  return at + (ttlDays + 1) * dayMs;
}

/** Whether more than `ttlDays` whole days are over since then; -1 stands for every past time. */
export function isExpired(at: number, now: number, ttlDays: number): boolean {
  return Math.floor((now - at) / dayMs) > ttlDays;
}

/** No tag that keeps something and sorts from here on is expired: 14 digits of UTC. */
export function firstUnexpired(now: number, ttlDays: number): string {
  return timeDigits(now - (ttlDays + 1) * dayMs + 1_000);
}

/** `20261129120000` */
export function timeDigits(at: number): string {
  return new Date(at).toISOString().replace(/\D/g, '').slice(0, 14);
}

function after(prefix: string, tag: string): string | undefined {
  return tag.startsWith(prefix) && tag.length > prefix.length ? tag.slice(prefix.length) : undefined;
}
