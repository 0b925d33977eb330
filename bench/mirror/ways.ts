import { link } from '../servers/link.ts';
import type { RefusingAnswer, RefusingQuestion } from '../servers/refusing-process.ts';
import { worker } from '../servers/worker.ts';

/** What crossed all the ways, in both directions, since the last time it was taken. */
interface Crossed {
  readonly bytes: number;
  readonly requests: number;
}

interface CountedWays {
  /** One host for each port. */
  readonly hosts: readonly string[];
  take(): Promise<Crossed>;
}

/** Puts a counter, as fast as it can be, before each of these ports while `use` runs. */
export async function withCounts<Result>(
  ports: readonly number[],
  use: (ways: CountedWays) => Promise<Result>,
): Promise<Result> {
  const links = await Promise.all(ports.map((targetPort) => link({ targetPort, bytesPerSecond: 0 })));
  try {
    return await use({
      hosts: links.map(({ origin }) => new URL(origin).host),
      async take() {
        const counts = await Promise.all(links.map((each) => each.counts()));
        await Promise.all(links.map((each) => each.reset()));
        return {
          bytes: counts.reduce((sum, { bytes, sentBytes }) => sum + bytes + sentBytes, 0),
          requests: counts.reduce((sum, { allRequests }) => sum + allRequests, 0),
        };
      },
    });
  } finally {
    for (const each of links) each.close();
  }
}

/**
 * Answers 429 to that share of the requests before each origin while `use` runs, which is given
 * their hosts.
 */
export async function withRefusals<Result>(
  origins: readonly string[],
  share: number,
  use: (hosts: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const module = new URL('../servers/refusing-process.ts', import.meta.url);
  const workers = origins.map(() => worker<RefusingQuestion, RefusingAnswer>(module));
  try {
    const answers = await Promise.all(
      workers.map((each, index) => each.ask({ target: origins[index] ?? '', share })),
    );
    return await use(answers.map(({ origin }) => new URL(origin).host));
  } finally {
    for (const each of workers) each.close();
  }
}
