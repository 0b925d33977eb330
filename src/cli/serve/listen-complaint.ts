import type { Config } from '../../config/load.ts';

const reasons: ReadonlyMap<unknown, string> = new Map([
  ['EADDRINUSE', 'another process listens on this address'],
  ['EADDRNOTAVAIL', 'this machine has no such address; name one of its own, or 0.0.0.0'],
  ['EACCES', 'ports below 1024 need root or CAP_NET_BIND_SERVICE'],
  ['ENOTFOUND', 'there is no such host name'],
]);

/** One line about an address that cannot be bound, with its setting; else undefined. */
export function listenComplaint(error: unknown, config: Config): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const reason = isListenError(cause) ? reasons.get(cause.code) : undefined;
    if (reason === undefined || !isListenError(cause)) continue;
    const isAdmin = config.admin.listen !== false && config.admin.listen.endsWith(`:${cause.port ?? ''}`);
    const [setting, address] = isAdmin ? ['admin.listen', config.admin.listen] : ['listen', config.listen];
    return `cannot listen on ${address} (setting ${setting}): ${reason} (${cause.code})`;
  }
  return undefined;
}

interface ListenError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly port?: number;
}

function isListenError(error: Error): error is ListenError {
  if (!('code' in error && 'syscall' in error)) return false;
  // Of a worker the primary binds the address.
  return error.syscall === 'listen' || error.syscall === 'bind' || error.code === 'ENOTFOUND';
}
