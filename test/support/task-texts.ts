import type { MirrorTask } from '../../src/mirror/queue/task.ts';

/** The task with its images as texts, as records and the API have them. */
export function taskTexts<Task extends MirrorTask>({ source, destination, backup, ...rest }: Task) {
  const kept = backup === undefined ? {} : { backup: backup.text };
  return { ...rest, source: source.text, destination: destination.text, ...kept };
}
