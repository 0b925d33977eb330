/**
 * The name of a worker before the others of its process. No replica has such a name: theirs are
 * `host:port`.
 */
export function workerName(number: number): string {
  return `worker-${number}`;
}
