/** What stands written of a lease. */
export interface LeaseRecord {
  /** Empty when it was given back. */
  readonly holder: string;
  /** Changes with each write. */
  readonly version: string;
  /** For how long each write holds, milliseconds; absent where nobody can tell. */
  readonly ttlMs?: number;
  /** When it ends by the holder's clock, milliseconds since the epoch; absent where nobody says. */
  readonly expiresAt?: number;
}

/** Who is to stand in the record. */
export interface LeaseClaim {
  /** Empty to give the lease back. */
  readonly holder: string;
  readonly ttlMs: number;
}

/** Where one lease is written down. A call that does not end is given up and counts as failed, also if it succeeds later. */
export interface LeaseMedium<Written extends LeaseRecord = LeaseRecord> {
  /** Undefined when nobody ever held it. */
  read(): Promise<Written | undefined>;
  /** Resolves to what stands there then; undefined, with nothing done, when it is no longer `seen` that stands there. */
  write(claim: LeaseClaim, seen: Written | undefined): Promise<Written | undefined>;
}

/** What a lease reports. */
export interface LeaseEvents {
  acquired(event: { readonly name: string; readonly holder: string }): void;
  /** Another may hold it now; our work was told to stop. */
  lost(event: { readonly name: string; readonly holder: string }): void;
  /** Work ended, and the next one need not wait. */
  released(event: { readonly name: string; readonly holder: string }): void;
  /** The medium did not answer; it is asked again. */
  failed(event: { readonly name: string; readonly error: unknown }): void;
}
