/**
 * Clients in a process of their own, so that every server under measurement meets the same ones.
 */
import { createHash } from 'node:crypto';
import { answerQuestions } from '../servers/worker.ts';
import { bufferBytes, type Pull, type Pulled, pull } from './pull.ts';

export interface PullQuestion extends Pull {
  /** How many clients, all starting at once. */
  readonly clients: number;
  /** Whether the first of them computes the digest. Default false. */
  readonly isChecked?: boolean;
}

function pullAll(question: PullQuestion): Promise<readonly Pulled[]> {
  const buffer = Buffer.alloc(bufferBytes(question));
  return Promise.all(
    Array.from({ length: question.clients }, (_, index) => {
      const isChecked = question.isChecked === true && index === 0;
      return pull(question, { buffer, ...(isChecked ? { hash: createHash('sha256') } : {}) });
    }),
  );
}

answerQuestions(pullAll);
