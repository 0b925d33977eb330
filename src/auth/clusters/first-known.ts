import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Subject } from '../access.ts';
import type { Cluster } from './cluster.ts';

type Known = Subject | undefined;

/**
 * The subject by the first cluster that accepts the token; at once if remembered. Asks the next
 * cluster after a no, a failure, or that much silence. Undefined if all say no; rejects if none
 * accepts and one failed.
 */
export function firstKnown(
  list: readonly Cluster[],
  token: string,
  { patienceMs, address }: { readonly patienceMs: number; readonly address?: string | undefined },
): MaybePromise<Known> {
  for (const [index, cluster] of list.entries()) {
    const answer = cluster.review(token, address);
    if (answer instanceof Promise)
      return raced(answer, list.slice(index + 1), patienceMs, (next) => next.review(token, address));
    if (answer !== undefined) return answer;
  }
  return undefined;
}

function raced(
  first: Promise<Known>,
  others: readonly Cluster[],
  patienceMs: number,
  review: (next: Cluster) => MaybePromise<Known>,
): Promise<Known> {
  const { promise, resolve, reject } = Promise.withResolvers<Known>();
  const waiting = [...others];
  const failures: unknown[] = [];
  let running = 0;
  let silence: NodeJS.Timeout | undefined;

  function begin(answer: Promise<Known>): void {
    running += 1;
    clearTimeout(silence);
    if (waiting.length > 0) silence = setTimeout(next, patienceMs);
    answer.then(answeredBy, (error: unknown) => {
      failures.push(error);
      answeredBy(undefined);
    });
  }

  function next(): void {
    const cluster = waiting.shift();
    if (cluster !== undefined) begin(Promise.try(() => review(cluster)));
  }

  function answeredBy(subject: Known): void {
    running -= 1;
    if (subject !== undefined) waiting.length = 0;
    if (waiting.length > 0) next();
    else if (subject !== undefined || running === 0) settle(subject);
  }

  function settle(subject: Known): void {
    clearTimeout(silence);
    if (subject === undefined && failures.length > 0) reject(failures[0]);
    else resolve(subject);
  }

  begin(first);
  return promise;
}
