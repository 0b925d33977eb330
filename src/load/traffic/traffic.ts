// Room `load/traffic`: what the target takes from its upstream meanwhile. In: a front that counts,
// or the metrics page of the target. Out: bytes and requests. Imports: base, load/client.

/** A count since some time before the load. */
export interface TrafficCount {
  readonly bytes: number;
  readonly requests: number;
}

/** Something that counts what goes from the upstream to the target. */
export interface TrafficCounter {
  readonly source: 'front' | 'metrics';
  /** Throws LoadFailure where it cannot be read. */
  read(signal: AbortSignal): Promise<TrafficCount>;
}

/** What was counted between two readings. A counter that began anew counts from 0. */
export function trafficBetween(before: TrafficCount, after: TrafficCount): TrafficCount {
  const since = (earlier: number, later: number): number => (later >= earlier ? later - earlier : later);
  return { bytes: since(before.bytes, after.bytes), requests: since(before.requests, after.requests) };
}
