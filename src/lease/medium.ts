/** What stands written of a lease. */
export interface LeaseRecord {
  /** Empty when it was given back. */
  readonly holder: string;
  /** Changes with each write. */
  readonly version: string;
  /** How long each write holds, milliseconds; absent if unknown. */
  readonly ttlMs?: number;
  /** Its end by the holder's clock, milliseconds since the epoch; absent if unknown. */
  readonly expiresAt?: number;
}

/** Who is to stand in the record. */
export interface LeaseClaim {
  /** Empty to give the lease back. */
  readonly holder: string;
  readonly ttlMs: number;
}

/** The record of one lease. A call that does not end is aborted and counts as failed. */
export interface LeaseMedium<Written extends LeaseRecord = LeaseRecord> {
  /** Undefined when it was never held. */
  read(): Promise<Written | undefined>;
  /** Resolves to the new record; undefined, with nothing written, if it is no longer `seen`. */
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
