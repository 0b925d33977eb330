import type { Traffic } from './upstream.ts';

/** One line of the closing table. */
export interface Row {
  readonly what: string;
  /** What the client asked for. */
  readonly asked: string;
  /** What it got. */
  readonly answer: string;
  /** Bytes that reached clients. */
  readonly bytes: number;
  readonly ms: number;
  /** What the upstream saw of it. */
  readonly upstream: Traffic;
  /** Whether it came out as it must. */
  readonly isRight: boolean;
}

/** Bytes as a person reads them, in powers of ten. */
export function size(bytes: number): string {
  if (bytes === 0) return '0';
  if (bytes < 1e3) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** A duration as a person reads it. */
export function duration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
