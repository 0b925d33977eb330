import type { Queue, TaskSink } from '../../mirror/queue/queue.ts';

/** What the API needs of a queue, also while another process has it. */
export function deskQueue(
  { put }: TaskSink,
  current: () => Queue | undefined,
): Pick<Queue, 'put' | 'list' | 'retry' | 'drop'> {
  return {
    put,
    list: (filter) => current()?.list(filter) ?? [],
    retry: (filter) => current()?.retry(filter) ?? 0,
    drop: (destination) => current()?.drop(destination),
  };
}
