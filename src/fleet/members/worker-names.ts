/**
 * The name of a worker before the others of its process. No replica has such a name: theirs are
 * `host:port`.
 */
export function workerName(number: number): string {
  return `worker-${number}`;
}

/** Whether the member is a worker of this process, and no replica. */
export function isWorker(member: string): boolean {
  return member.startsWith('worker-') && !member.includes(':');
}
