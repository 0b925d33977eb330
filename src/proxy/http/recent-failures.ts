/** A request that failed, in a few hundred bytes; without anything that the log does not have. */
export interface FailedRequest {
  /** One that we made, whatever the client sent. */
  readonly id: string;
  /** The client's own `X-Request-Id`. */
  readonly clientId?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  /** The `Host` field. */
  readonly host: string;
  readonly status: number;
  readonly error?: string;
  readonly message: string;
  readonly upstream?: string;
  readonly subject?: string;
  readonly cluster?: string;
  readonly rule?: string;
  readonly question?: string;
  readonly verdict?: 'allowed' | 'refused';
  readonly upstreamStatus?: number;
  readonly upstreamSaid?: string;
  readonly cause?: string;
}
