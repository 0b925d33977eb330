import type { Programs } from './programs.ts';

/** Who takes part: ours and the programs it is measured against. */
export type ServerName = 'quayside' | 'docker-registry' | 'nginx cache' | 'nginx static';

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
