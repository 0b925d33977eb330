import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from '../servers/programs.ts';
import { worker } from '../servers/worker.ts';
import type { RequestAnswer, RequestQuestion } from './request-process.ts';

const run = promisify(execFile);

/**
 * Measures requests a second; throws when an answer was not 200, because then the figure means
 * nothing.
 */
export interface RequestLoad {
  perSecond(question: RequestQuestion): Promise<number>;
  close(): void;
}

/**
 * wrk for GET where it is installed, else the generator of ours; always ours for HEAD, whose
 * answers wrk waits to have bodies.
 */
export function requestLoad(): RequestLoad {
  const own = worker<RequestQuestion, RequestAnswer>(new URL('./request-process.ts', import.meta.url));
  const wrk = findProgram('wrk');
  return {
    async perSecond(question) {
      const isWrk = wrk !== undefined && question.method === 'GET';
      const answer = isWrk ? await wrkAnswer(wrk, question) : await own.ask(question);
      if (answer.failures === 0) return answer.perSecond;
      throw new Error(
        `${question.method} ${question.origin}${question.path}: ${answer.failures} answers were not 200`,
      );
    },
    close: own.close,
  };
}

/**
 * wrk adds a `Host` line of its own to one that is written in another case, and two lines are
 * refused.
 */
function wrkName(name: string): string {
  return name === 'host' ? 'Host' : name;
}

async function wrkAnswer(wrk: string, question: RequestQuestion): Promise<RequestAnswer> {
  const { stdout } = await run(wrk, [
    '--threads=1',
    `--connections=${question.connections}`,
    `--duration=${Math.round(question.durationMs / 1000)}s`,
    // A busy machine is late, which the rate says; its answers are no failures.
    '--timeout=15s',
    ...Object.entries(question.headers).flatMap(([name, value]) => [
      '--header',
      `${wrkName(name)}: ${value}`,
    ]),
    `${question.origin}${question.path}`,
  ]);
  const perSecond = Number(/Requests\/sec:\s*([\d.]+)/.exec(stdout)?.[1] ?? 0);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout) ?? [];
  const wrong = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0);
  return { perSecond, failures: errors.slice(1).reduce((sum, count) => sum + Number(count), wrong) };
}
