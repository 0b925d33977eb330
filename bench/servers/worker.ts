import { fork } from 'node:child_process';

/** A process of ours that answers one question at a time over IPC. */
export interface Worker<Question, Answer> {
  /** Throws when the process ended, or took longer than `timeoutMs` (default five minutes). */
  ask(question: Question, timeoutMs?: number): Promise<Answer>;
  close(): void;
}

/**
 * Starts `module` as a process of its own, so that what it does costs the measured process no
 * event-loop time. The two sides agree on the types; the module calls answerQuestions.
 */
export function worker<Question, Answer>(
  module: URL,
  args: readonly string[] = [],
): Worker<Question, Answer> {
  const child = fork(module, args, { serialization: 'advanced' });
  return {
    ask(question, timeoutMs = 300_000) {
      return new Promise<Answer>((resolve, reject) => {
        const timer = setTimeout(
          () => settle(() => reject(new Error(`${module.pathname}: no answer`))),
          timeoutMs,
        );
        const answered = (answer: unknown): void => settle(() => resolve(answer as Answer));
        const exited = (): void => settle(() => reject(new Error(`${module.pathname} ended`)));
        const settle = (act: () => void): void => {
          clearTimeout(timer);
          child.off('message', answered).off('exit', exited);
          act();
        };
        child.once('message', answered).once('exit', exited);
        child.send(question as object);
      });
    },
    close() {
      child.kill('SIGKILL');
    },
  };
}

/** The other side: answers every question of the parent, and ends with it. */
export function answerQuestions<Question, Answer>(answer: (question: Question) => Promise<Answer>): void {
  process.on('message', (question) => {
    answer(question as Question).then(
      (value) => process.send?.(value),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit(0));
}
