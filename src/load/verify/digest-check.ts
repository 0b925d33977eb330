// Room `load/verify`: whether bytes are what their digest says, off the thread that makes the load.
// In: chunks, borrowed. Out: yes or no, later. Imports: base, oci.

import type { Digest } from '../../oci/digest.ts';

/** One content that is being checked. */
export interface DigestCheck {
  /** Copies the chunk. Resolves when more may come: the threads may be behind. */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** Whether all that was written is what the digest names; true where nothing is checked. */
  end(): Promise<boolean>;
  /** Forgets it: the content ends early. */
  drop(): void;
}

/** Where contents are checked. */
export interface DigestChecks {
  /** Whether it checks at all. */
  readonly isOn: boolean;
  /** How long writers have waited for it so far, milliseconds. */
  readonly waitedMs: number;
  begin(digest: Digest): DigestCheck;
  close(): Promise<void>;
}

/** Checks nothing: the bytes are counted and dropped. */
export const uncheckedDigests: DigestChecks = {
  isOn: false,
  waitedMs: 0,
  begin: () => ({ write: () => undefined, end: async () => true, drop: () => undefined }),
  close: async () => undefined,
};
