/** How a client of containers behaves, as measured with real ones. */
export interface ClientManners {
  /** Whether `/v2/` is asked first. */
  readonly pings: boolean;
  /** Whether a tag is resolved by HEAD, and its manifest then asked for by digest. */
  readonly resolvesByHead: boolean;
  /** Until the head of an answer, milliseconds. */
  readonly firstByteTimeoutMs: number;
  /** Tries of the whole pull, and the pause before each but the first, milliseconds. */
  readonly pullTries: number;
  readonly pullPauseMs: number;
  /**
   * The pause before a request is made again, milliseconds; undefined where its status is final.
   * `tries` have been made.
   */
  pauseAfter(status: number, tries: number, retryAfterSeconds: number | undefined): number | undefined;
  /** Whether a body that broke off is asked for again from where it did. */
  mayResume(breaks: number, bytesSinceLast: number, msSinceLast: number): boolean;
}

const longestRetryAfterSeconds = 60;
const mebibyte = 1024 * 1024;

/**
 * `podman` is containers/image (also CRI-O, skopeo, buildah) with podman's three more tries of a
 * pull. `containerd` resolves by HEAD and gives a silent host up after 30 s. `plain` asks once.
 */
const manners = {
  podman: {
    pings: true,
    resolvesByHead: false,
    firstByteTimeoutMs: 120_000,
    pullTries: 4,
    pullPauseMs: 1_000,
    pauseAfter(status, tries, retryAfterSeconds) {
      if (status === 429 && tries < 5)
        return 1000 * Math.min(longestRetryAfterSeconds, retryAfterSeconds ?? 2 ** tries);
      return status >= 500 && tries < 2 ? 1_000 : undefined;
    },
    mayResume: (breaks, bytes, ms) => breaks === 1 || bytes >= mebibyte || ms >= 60_000,
  },
  containerd: {
    pings: false,
    resolvesByHead: true,
    firstByteTimeoutMs: 30_000,
    pullTries: 1,
    pullPauseMs: 0,
    pauseAfter: (status, tries) => (status === 429 && tries < 5 ? 0 : undefined),
    mayResume: (breaks, bytes) => breaks <= 3 || bytes > 0,
  },
  plain: {
    pings: false,
    resolvesByHead: false,
    firstByteTimeoutMs: 120_000,
    pullTries: 1,
    pullPauseMs: 0,
    pauseAfter: () => undefined,
    mayResume: () => false,
  },
} satisfies Record<string, ClientManners>;

export type ClientKind = keyof typeof manners;

export const clientKinds = Object.keys(manners) as readonly ClientKind[];

export function mannersOf(kind: ClientKind): ClientManners {
  return manners[kind];
}
