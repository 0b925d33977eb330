import { join } from 'node:path';
import { defined } from '../../src/base/text/defined.ts';
import type { Offer } from '../content.ts';
import { type PeerBucket, type PeerOptions, startPeer } from '../peers/peers.ts';
import { bareServer } from './bare.ts';
import type { ConditionName } from './conditions.ts';
import { nginxStatic } from './nginx.ts';
import { findProgram } from './programs.ts';
import { quayside } from './quayside.ts';
import type { Ground, Server, ServerName } from './server.ts';
import { siteOf } from './site.ts';

export interface StartOptions {
  /**
   * What is behind the server: the link of stated speed (default), the registry without any limit,
   * or a condition.
   */
  readonly upstream?: 'link' | 'loopback' | ConditionName;
  /** Another registry than that of the bench, an origin. */
  readonly registry?: string;
  readonly s3?: PeerBucket;
  /** Whether the server ends TLS. Default false. */
  readonly isTls?: boolean;
  /** Whether it wants a login; see `lab.login`. Default false. */
  readonly hasLogin?: boolean;
  /** Whether its files are on a disk, even where the bench has memory for them. Default false. */
  readonly isOnDisk?: boolean;
  /** Quayside only: settings besides, as in its configuration file. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Quayside only: its environment besides. */
  readonly env?: Readonly<Record<string, string>>;
  /** Quayside only: another checkout of it. Default: this one. */
  readonly checkout?: string;
}

/** What servers with TLS and with logins are given. */
export interface SecretFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly htpasswdFile: string;
}

interface ServerOptions extends StartOptions {
  readonly content: Offer;
  readonly files: SecretFiles;
}

/** Starts a server on its ground; or says why it takes no part. */
export async function startServer(
  name: ServerName,
  ground: Ground,
  { content, files, ...options }: ServerOptions,
): Promise<Server | string> {
  const { certFile, keyFile, htpasswdFile } = files;
  const peer: PeerOptions = {
    ...(options.s3 === undefined ? {} : { s3: options.s3 }),
    ...(options.isTls === true ? { tls: { certFile, keyFile } } : {}),
    ...(options.hasLogin === true ? { htpasswdFile } : {}),
  };
  try {
    switch (name) {
      case 'quayside':
        return await quayside(ground, {
          ...peer,
          ...defined({ env: options.env, checkout: options.checkout }),
          settings: options.settings ?? {},
        });
      case 'nginx static':
      case 'node:http': {
        const site = join(ground.directory, 'site');
        await siteOf(content, site);
        const { mediaType } = content.image.root.descriptor;
        if (name === 'node:http') return await bareServer(ground, mediaType, peer);
        const command = findProgram('nginx');
        return command === undefined
          ? 'nginx is not installed'
          : await nginxStatic(command, ground, mediaType);
      }
      default:
        return await startPeer(name, ground, peer);
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
