import { readFile } from 'node:fs/promises';
import { createSecureContext, type Server } from 'node:tls';
import { watchFiles } from '../../base/state/watched-file.ts';
import type { Config } from '../../config/load.ts';
import type { Log } from '../../telemetry/log.ts';
import type { ConnectOptions } from '../../upstream/download/pooled-socket.ts';

type MemberTlsSettings = NonNullable<NonNullable<Config['fleet']>['tls']>;

/** What this process shows, and by what it knows members. */
interface MemberCertificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** The certificates between members, as their files are now. */
export interface MemberTls {
  current(): MemberCertificates;
  /** How members are connected to: the same object until the files change. */
  line(): ConnectOptions;
  /** Gives new connections to the server the current certificates. */
  follow(server: Pick<Server, 'setSecureContext'>): void;
  close(): void;
}

interface MemberTlsOptions {
  readonly connectTimeoutMs: number;
  readonly log?: Pick<Log, 'info' | 'warn'>;
  /** How often the files are looked at, milliseconds. Default 2,000. */
  readonly everyMs?: number;
}

/**
 * Follows the files. A set that cannot be used, such as one without its key yet, leaves the
 * previous one in use. Rejects when the first one cannot be used.
 */
export async function followedMemberTls(
  settings: MemberTlsSettings,
  { connectTimeoutMs, log, everyMs = 2_000 }: MemberTlsOptions,
): Promise<MemberTls> {
  const servers: Pick<Server, 'setSecureContext'>[] = [];
  // Addresses of members come and go, so their authority counts, which issues for members only.
  const trust = { rejectUnauthorized: true, checkServerIdentity: () => undefined };
  const lineOf = (certificates: MemberCertificates): ConnectOptions => ({
    tls: { ...certificates, ...trust },
    connectTimeoutMs,
  });
  let current = await readCertificates(settings);
  let line = lineOf(current);

  async function changed(): Promise<void> {
    try {
      const next = await readCertificates(settings);
      for (const server of servers) server.setSecureContext(next);
      current = next;
      line = lineOf(next);
      log?.info('certificates between members reloaded');
    } catch (error) {
      log?.warn({ err: error }, 'cannot use the new certificates between members; the previous stay in use');
    }
  }

  const { certFile, keyFile, caFile } = settings;
  const watch = watchFiles([certFile, keyFile, caFile], { everyMs, changed });
  return {
    current: () => current,
    line: () => line,
    follow: (server) => void servers.push(server),
    close: () => watch.close(),
  };
}

/** Rejects unless they fit each other. */
async function readCertificates(settings: MemberTlsSettings): Promise<MemberCertificates> {
  const { certFile, keyFile, caFile } = settings;
  const [cert = '', key = '', ca = ''] = await Promise.all(
    [certFile, keyFile, caFile].map((file) => readFile(file, 'utf8')),
  );
  createSecureContext({ cert, key, ca });
  return { cert, key, ca };
}
