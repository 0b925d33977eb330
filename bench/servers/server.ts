import type { PeerName } from '../peers/peers.ts';
import type { Programs } from './programs.ts';

/** Who takes part: ours, the caches it is measured against, and servers of plain files. */
export type ServerName = PeerName | 'nginx static' | 'node:http';

/** A server under measurement. All of them answer the same paths: `/v2/<repository>/…`. */
export interface Server {
  readonly name: ServerName;
  readonly origin: string;
  /** The one process whose memory counts. */
  readonly pid: number;
  stop(): Promise<void>;
}

/** What a server needs to start. */
export interface Ground {
  readonly programs: Programs;
  /** An empty directory of its own. */
  readonly directory: string;
  /** The registry behind it, an origin. */
  readonly upstream: string;
}
