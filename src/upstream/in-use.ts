import type { OpenBlob } from '../oci/registry-reader.ts';
import type { Upstream } from './upstream.ts';

/** An upstream that knows whether it is asked for something. */
export interface CountedUpstream {
  readonly upstream: Upstream;
  /** Resolves once no question and no body of it is under way. */
  idle(): Promise<void>;
}

/** Counts what is under way, so that an upstream that is taken away can end it before it closes. */
export function countedUpstream(upstream: Upstream): CountedUpstream {
  let running = 0;
  let waiting: PromiseWithResolvers<void> | undefined;

  function begun(): () => void {
    running += 1;
    let isRunning = true;
    return () => {
      if (!isRunning) return;
      isRunning = false;
      running -= 1;
      if (running === 0) waiting?.resolve();
    };
  }

  function counted<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    return question().finally(begun());
  }

  async function opened(open: () => Promise<OpenBlob | undefined>): Promise<OpenBlob | undefined> {
    const ended = begun();
    try {
      const blob = await open();
      if (blob === undefined) ended();
      return blob && closing(blob, ended);
    } catch (error) {
      ended();
      throw error;
    }
  }

  async function forwarded<Answer extends Awaited<ReturnType<Upstream['forwardBlob']>>>(
    forward: () => Promise<Answer>,
  ): Promise<Answer> {
    const ended = begun();
    try {
      const answer = await forward();
      if (answer === undefined || answer.body.closed) ended();
      else answer.body.once('close', ended);
      return answer;
    } catch (error) {
      ended();
      throw error;
    }
  }

  return {
    upstream: {
      name: upstream.name,
      get hasRanges() {
        return upstream.hasRanges;
      },
      manifest: (repository, reference, asked) =>
        counted(() => upstream.manifest(repository, reference, asked)),
      statBlob: (repository, digest, asked) => counted(() => upstream.statBlob(repository, digest, asked)),
      tags: (repository, query, asked) => counted(() => upstream.tags(repository, query, asked)),
      referrers: (repository, digest, query, asked) =>
        counted(() => upstream.referrers(repository, digest, query, asked)),
      openBlob: (repository, digest, asked) => opened(() => upstream.openBlob(repository, digest, asked)),
      forwardBlob: (repository, digest, asked) =>
        forwarded(() => upstream.forwardBlob(repository, digest, asked)),
      isReachable: (asked) => upstream.isReachable(asked),
      breakerElsewhere: (isOpen) => upstream.breakerElsewhere?.(isOpen),
      pausedElsewhere: (pause) => upstream.pausedElsewhere?.(pause),
      close: () => upstream.close(),
    },
    async idle() {
      while (running > 0) {
        waiting ??= Promise.withResolvers();
        await waiting.promise;
        waiting = undefined;
      }
    },
  };
}

function closing(blob: OpenBlob, ended: () => void): OpenBlob {
  return {
    ...blob,
    close() {
      ended();
      blob.close();
    },
  };
}
