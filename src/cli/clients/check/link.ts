import type { Login } from './logins.ts';
import type { Trust } from './trust.ts';

/** The clients whose configuration can be followed. */
export const checkedClients = ['podman', 'cri-o', 'containerd', 'docker'] as const;

export type CheckedClient = (typeof checkedClients)[number];

/** One place that a client asks for an image. */
export interface Link {
  /** As the client's files have it, for people. */
  readonly location: string;
  /** `host[:port]`. */
  readonly host: string;
  /** Tried in this order until one answers. */
  readonly schemes: readonly ('https' | 'http')[];
  /** Before the repository in a path: `/v2` for most. */
  readonly base: string;
  readonly repository: string;
  /** Which registry the user wrote, where the client says that. */
  readonly namespace?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the certificate is verified. */
  readonly isVerified: boolean;
  readonly trust: Trust;
  readonly login: Login;
  /** Why the client does not ask it for this image. */
  readonly skipped?: string;
}

/** All places of a client for an image, in its order, and the files that say so. */
export interface Chain {
  readonly client: CheckedClient;
  readonly files: readonly string[];
  readonly links: readonly Link[];
}

/** What was found at one link. */
export interface LinkFinding {
  /** `wrong` is a refusal, or bytes that are wrong; `unknown` is silence, 429, or 5xx. */
  readonly verdict: 'ok' | 'wrong' | 'unknown' | 'skipped';
  /** What was asked last. */
  readonly step: 'connection' | 'login' | 'manifest' | 'config' | 'layer' | 'configuration';
  readonly status?: number;
  /** Of a connection that failed: what Node calls it, such as `ECONNREFUSED`. */
  readonly cause?: string;
  /** The code of the registry's error. */
  readonly code?: string;
  /** The registry's own sentence, or what became of the connection. */
  readonly reason: string;
  /** What to do about it. */
  readonly next?: string;
  readonly digest?: string;
  readonly requestId?: string;
  readonly retryAfter?: string;
  /** Where Quayside had the manifest from. */
  readonly hit?: string;
  readonly bytes: number;
  readonly seconds: number;
}
