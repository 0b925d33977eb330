/** The S3 double of the tests in a process of its own, so that its work is not Quayside's. */
import { s3Double } from '../../test/support/s3-double.ts';
import { answerQuestions } from './worker.ts';

export type S3Question = 'endpoint' | 'take';

export interface S3Answer {
  readonly endpoint: string;
  /**
   * The operations since the last `take`, in order, those by presigned URL left out: a client makes
   * these.
   */
  readonly operations: readonly string[];
}

const double = await s3Double();

answerQuestions<S3Question, S3Answer>(async (question) => {
  const operations = double.requests
    .filter(({ isPresigned }) => !isPresigned)
    .map(({ operation, key }) => `${operation} ${key.split('/', 2).join('/')}`);
  if (question === 'take') double.requests.length = 0;
  return { endpoint: double.endpoint, operations };
});
