import { isIPv6 } from 'node:net';

const hostShape = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;
const pathShape = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** Whether it is the name of a host with or without a port, as clients write it. */
export function isHost(text: string): boolean {
  if (!hostShape.test(text)) return false;
  const [, address] = /^\[([^\]]+)\]/.exec(text) ?? [];
  return address === undefined || isIPv6(address);
}

/** Whether it is the name of a repository, or of a folder of them. */
export function isPath(text: string): boolean {
  return text.length <= 255 && pathShape.test(text);
}

/** A registry, or a repository or a folder of repositories in one. */
export interface Location {
  readonly host: string;
  /** Without a leading slash; empty for the whole registry. */
  readonly path: string;
}

/** `host[:port][/path]`; undefined for anything else. */
export function parseLocation(text: string): Location | undefined {
  const slash = text.indexOf('/');
  const host = slash < 0 ? text : text.slice(0, slash);
  const path = slash < 0 ? '' : text.slice(slash + 1);
  return isHost(host) && (path === '' ? slash < 0 : isPath(path)) ? { host, path } : undefined;
}

/** The location as clients write it. */
export function locationText({ host, path }: Location): string {
  return path === '' ? host : `${host}/${path}`;
}
