import { BlockList, isIP } from 'node:net';
import Type from 'typebox';
import { Expression } from '../../base/text/expression.ts';
import { type LeafOptions, leaf } from './leaf.ts';
import { parseBytes, parseMs, parseSeconds } from './units.ts';

const longestTimerMs = 2 ** 31 - 1;
/** What is accepted for a time in milliseconds, for editors. */
export const aTime = 'milliseconds: a number, or text such as 500ms, 30s, 5m, 2h, 7d';

/** A time in milliseconds: a number, or text with a unit (`30s`). */
export const ms = (options?: LeafOptions) => leaf(parseMs, { description: aTime, ...options });

/**
 * A time in milliseconds for a timer: at least 1, and at most the limit of Node's timers (2³¹ − 1,
 * some 24 days), above which they fire at once.
 */
export const timerMs = (options?: LeafOptions) => leaf(parseTimerMs, { description: aTime, ...options });

/** A time in seconds: a number, or text with a unit (`6h`). */
export const seconds = (options?: LeafOptions) =>
  leaf(parseSeconds, { description: 'seconds: a number, or text such as 30s, 5m, 6h', ...options });

/** A size in bytes: a number, or text with a unit (`50GiB`). */
export const bytes = (options?: LeafOptions) =>
  leaf(parseBytes, { description: 'bytes: a number, or text such as 64MiB, 50GiB, 200MB', ...options });

/** A regular expression that fits texts in which it matches anywhere. */
export const pattern = () =>
  leaf((value) => Expression.anywhere(expressionText(value)), {
    description: 'a regular expression that may match anywhere',
  });

/** A regular expression for whole names: a partial match would grant unintended rights. */
export const wholePattern = () =>
  leaf((value) => Expression.whole(expressionText(value)), {
    description: 'a regular expression for whole names',
  });

/** An absolute `http:` or `https:` URL without user, query or fragment; drops a trailing `/`. */
export const httpUrl = (options?: LeafOptions) =>
  leaf(parseHttpUrl, { description: 'a URL with http:// or https://, without user and query', ...options });

/** `host` or `host:port` as URLs have it: in lower case, without the port of https. */
export const host = () => leaf(parseHost, { description: 'a host, or host:port' });

/** The name of a namespace in Kubernetes (RFC 1123). */
export const namespace = () => leaf(parseNamespace, { description: 'the name of a namespace' });

/** Where to listen: `host:port`, `[v6]:port`; port 0 lets the system choose. */
export const address = (options?: LeafOptions) =>
  leaf(parseAddress, { description: 'host:port, such as 127.0.0.1:8400 or [::1]:8400', ...options });

/** Where to listen, `host:port`, or `false`. */
export const listenOrNone = (fallback: string | false, example = fallback) =>
  leaf(
    (value) => {
      if (value === false) return value;
      if (typeof value === 'string' && /^\S+:\d{1,5}$/.test(value)) return value;
      throw new Error(`must be host:port such as ${example}, or false`);
    },
    { default: fallback, description: 'host:port, or false for none' },
  );

/** Non-empty text. */
export const text = (options?: LeafOptions) => Type.String({ ...options, minLength: 1 });

/** A whole number from `minimum`, 0 without one. */
export const count = (options: LeafOptions & { readonly minimum?: number } = {}) =>
  Type.Integer({ minimum: 0, ...options });

/** The path of a file with one secret or certificate. Read when used: rotation needs no restart. */
export const file = () => text({ description: 'the path of a file' });

/** One of a few words. */
export const oneOf = <T extends string[]>(words: readonly [...T], options?: LeafOptions) =>
  Type.Enum<T>(words, { ...options });

/** An object of exactly these keys; when absent as a whole, its parts have their defaults. */
export const section = <T extends Parameters<typeof Type.Object>[0]>(keys: T) =>
  Type.Object(keys, { additionalProperties: false, default: {} });

/** An object of exactly these keys. */
export const closed = <T extends Parameters<typeof Type.Object>[0]>(keys: T) =>
  Type.Object(keys, { additionalProperties: false });

/** The milliseconds of a timer; throws an Error that says what is accepted. */
export function parseTimerMs(value: unknown): number {
  return within(parseMs(value), 1, longestTimerMs, 'must be at least 1 ms and at most 24 days');
}

function within(value: number, least: number, most: number, message: string): number {
  if (value < least || value > most) throw new Error(message);
  return value;
}

function expressionText(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new Error('must be a regular expression');
}

/** As text; throws an Error that says what is accepted. */
export function parseHost(value: unknown): string {
  const isHost =
    typeof value === 'string' && /^[^\s/?#@\\]+$/.test(value) && URL.canParse(`https://${value}`);
  if (isHost) return new URL(`https://${value}`).host;
  throw new Error(`must be a host, as in quay.io or quay.io:5000, not ${value}`);
}

function parseNamespace(value: unknown): string {
  if (typeof value === 'string' && /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(value)) return value;
  throw new Error('must be the name of a namespace: a-z, 0-9 and -, at most 63 characters');
}

function parseHttpUrl(value: unknown): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Error('must be a URL that begins with http:// or https://');
  }
  if (url.username !== '' || url.password !== '') {
    throw new Error('must not hold a user or password; name the files that hold them');
  }
  if (url.search !== '' || url.hash !== '') throw new Error('must not have a query or a fragment');
  return url.href.replace(/(?<!\/)\/+$/, '');
}

function parseAddress(value: unknown): string {
  const [, host = '', port = ''] =
    (typeof value === 'string' && /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(value)) || [];
  const bare = host.replace(/^\[|\]$/g, '');
  if (host === '' || Number(port) > 65_535 || (host.startsWith('[') && isIP(bare) !== 6)) {
    throw new Error('must be host:port, such as 127.0.0.1:8400, 0.0.0.0:8400 or [::1]:8400');
  }
  return `${host}:${Number(port)}`;
}

/** A network such as `10.0.0.0/8`; throws an Error that says what is accepted. */
export function parseNetwork(value: unknown): string {
  const [ip = '', prefix = ''] = typeof value === 'string' ? value.split('/') : [];
  const family = isIP(ip);
  if (family === 0 || !/^\d{1,3}$/.test(prefix) || typeof value !== 'string') {
    throw new Error('must be a network such as 10.0.0.0/8 or fd00::/8');
  }
  try {
    new BlockList().addSubnet(ip, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
    return value;
  } catch {
    throw new Error(`must have a prefix length of its address family: ${value}`);
  }
}
