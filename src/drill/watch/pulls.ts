import { sleep } from '../../base/time/wait.ts';
import { createNodes } from '../../load/client/node.ts';
import { LoadRecorder } from '../../load/recorder.ts';
import type { DigestChecks } from '../../load/verify/digest-check.ts';
import { parseReference, parseRepository } from '../../oci/reference.ts';
import type { DrillPull } from '../drill.ts';

/** Clients of one place, whose pulls are recorded. */
export interface DrillClients {
  /** Pulls that have ended. */
  readonly pulls: readonly DrillPull[];
  /**
   * Answers of other bytes than their digest says, whole by their own words. One that was cut, and
   * that the client continued, is the client's to refuse: what was sent cannot be taken back.
   */
  wrong(): readonly string[];
  /** Contents that clients put together of a cut answer and its rest, and refused. */
  refused(): number;
  /** One pull, recorded. Resolves to whether it came whole; never rejects. */
  pull(image: DrillImage): Promise<boolean>;
  /** Gives those that are under way so long, then cuts them: they have failed. */
  finish(withinMs: number): Promise<void>;
}

/** An image of the registry that the fleet pulls from. */
export interface DrillImage {
  readonly repository: string;
  readonly tag: string;
  readonly isWarm: boolean;
}

interface ClientsOptions {
  readonly url: string;
  readonly tokenFile?: string;
  readonly checks: DigestChecks;
  /** Since the beginning of the drill. */
  readonly now: () => number;
  /** `plain` asks once. Default: as podman, with its retries. */
  readonly client?: 'podman' | 'plain';
}

const clientCount = 8;

/** Eight nodes, each with connections of its own. */
export function createDrillClients(options: ClientsOptions): DrillClients {
  const { url, tokenFile, checks, now, client = 'podman' } = options;
  const recorder = new LoadRecorder();
  const ending = new AbortController();
  const nodes = createNodes({
    target: { url, ...(tokenFile === undefined ? {} : { tokenFile }) },
    recorder,
    checks,
    now,
    signal: ending.signal,
    client,
    perNode: 6,
    platform: 'linux/amd64',
    isForgetful: true,
    progressTimeoutMs: 60_000,
  });
  const pulls: DrillPull[] = [];
  const underWay = new Set<Promise<boolean>>();
  let turn = 0;

  async function pulled({ repository, tag, isWarm }: DrillImage): Promise<boolean> {
    const atMs = now();
    turn += 1;
    const work = {
      kind: 'pull',
      repository: parseRepository(repository),
      reference: parseReference(tag),
    } as const;
    try {
      await nodes.work({ atMs, node: `node-${turn % clientCount}`, work });
      pulls.push({ atMs, tookMs: now() - atMs, isWarm });
      return true;
    } catch (error) {
      pulls.push({ atMs, tookMs: now() - atMs, isWarm, error: textOf(error) });
      return false;
    }
  }

  return {
    pulls,
    wrong: () =>
      recorder
        .part()
        .wrongContent.filter(({ resumes = 0 }) => resumes === 0)
        .map(({ url, digest, bytes }) => `GET ${url}: ${bytes} bytes, not those of ${digest}`),
    refused: () => recorder.part().wrongContent.filter(({ resumes = 0 }) => resumes > 0).length,
    pull(image) {
      const pull = pulled(image).finally(() => underWay.delete(pull));
      underWay.add(pull);
      return pull;
    },
    async finish(withinMs) {
      const late = new AbortController();
      await Promise.race([Promise.all(underWay), sleep(withinMs, late.signal).catch(() => undefined)]);
      late.abort();
      ending.abort(new Error(`it did not end within ${Math.round(withinMs / 1000)} s after the drill`));
      await Promise.all(underWay);
      await nodes.checked();
      await nodes.close();
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
