/** Keeps this process from all else for so long, as one that is stopped and continued. */
export function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
