import { setTimeout as after } from 'node:timers/promises';
import type { Lab } from '../lab.ts';
import type { Scenario, Target } from '../scenario.ts';
import type { S3Answer, S3Question } from '../servers/s3-process.ts';
import { type Worker, worker } from '../servers/worker.ts';
import { warmed, withFresh, withServers } from './started.ts';

const times = 500;
const quietMs = 500;
const bucket = 'bench';

/** What a pull costs in calls to S3, warm and cold: they are money and milliseconds. */
export const s3Calls: Scenario = {
  name: 's3-calls',
  title: 'Pulls with S3 behind',
  async run(lab) {
    const s3 = worker<S3Question, S3Answer>(new URL('../servers/s3-process.ts', import.meta.url));
    try {
      const { endpoint } = await s3.ask('endpoint');
      const streamed = await callsOf(lab, s3, endpoint, 'never');
      const redirected = await callsOf(lab, s3, endpoint, 'always');
      const cold = await imageCalls(lab, s3, endpoint, 'an image that is nowhere yet');
      const again = await imageCalls(lab, s3, endpoint, 'the same image on another replica');
      const [manifest, blob, redirect] = [streamed?.manifest, streamed?.blob, redirected?.blob];
      return {
        measures: [
          { what: 'a manifest by tag', unit: 'calls', values: valued(manifest) },
          { what: 'a blob, streamed', unit: 'calls', values: valued(blob) },
          { what: 'a blob, redirected', unit: 'calls', values: valued(redirect) },
          { what: 'an image of 44 MB, cold', unit: 'calls', values: valued(cold) },
          { what: 'the same on another replica', unit: 'calls', values: valued(again) },
        ],
        targets: [
          target('S3 calls for a manifest', manifest, 0),
          target('S3 calls for a blob, streamed', blob, 1),
          target('S3 calls for a blob, redirected', redirect, 0),
          target('S3 calls for a cold image of nine blobs', cold, 30),
          target('S3 calls for the same image on another replica', again, 12),
        ],
        notes: [
          `An S3 server of our own counts; means of ${times} pulls to two decimals. Calls for content and what is known of it count; the looks at the bucket of each minute do not, nor the presigned GETs of clients.`,
        ],
      };
    } finally {
      s3.close();
    }
  },
};

interface Calls {
  /** A mean, for one manifest. */
  readonly manifest: number;
  /** A mean, for one blob. */
  readonly blob: number;
}

function callsOf(
  lab: Lab,
  s3: Worker<S3Question, S3Answer>,
  endpoint: string,
  redirect: 'always' | 'never',
): Promise<Calls | undefined> {
  lab.say(redirect === 'never' ? `streaming from S3` : 'redirecting to S3');
  return withFresh(
    lab,
    'quayside',
    async (server) => {
      const { byTag, byDigest } = lab.offer.manifest;
      await warmed(lab, server, byDigest, lab.offer.image.root.descriptor.digest);
      await warmed(lab, server, byTag, lab.offer.image.root.descriptor.digest);
      await stored(lab, server.origin, lab.offer.small.path);
      const mean = async (path: string): Promise<number> => {
        await quiet(s3);
        for (let i = 0; i < times; i += 1) await lab.pull({ origin: server.origin, path, clients: 1 });
        const { operations } = await s3.ask('take');
        return Math.round((100 * operations.filter((call) => ofPulls.test(call)).length) / times) / 100;
      };
      return { manifest: await mean(byTag), blob: await mean(lab.offer.small.path) };
    },
    { s3: { endpoint, bucket, redirect } },
  );
}

/** What one pull of an image takes from and leaves in S3, on a replica that has just started. */
function imageCalls(
  lab: Lab,
  s3: Worker<S3Question, S3Answer>,
  endpoint: string,
  what: string,
): Promise<number | undefined> {
  lab.say(what);
  return withServers(
    lab,
    ['quayside'],
    async ([server]) => {
      if (server === undefined) return undefined;
      await quiet(s3);
      await lab.pullImages({ origin: server.origin, paths: lab.offer.ordinary, clients: 1 });
      return (await quiet(s3)).filter((call) => ofPulls.test(call)).length;
    },
    { s3: { endpoint, bucket, redirect: 'never' } },
  );
}

/** Content and what is known of it: probes and the like are no part of a pull. */
const ofPulls = / v1\/(?:blobs|members|partial|tags)$/;

/**
 * Waits until what a pull left to be written is written, half a second without a call; resolves to
 * the calls until then.
 */
async function quiet(s3: Worker<S3Question, S3Answer>): Promise<readonly string[]> {
  const deadline = performance.now() + 20_000;
  const seen: string[] = [];
  for (let latest = -1; latest !== 0 && performance.now() < deadline; ) {
    await after(quietMs);
    const { operations } = await s3.ask('take');
    seen.push(...operations);
    latest = operations.length;
  }
  return seen;
}

/** Pulls until the upstream is no longer asked; a redirect has no body to check. */
async function stored(lab: Lab, origin: string, path: string): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    await lab.forget();
    await lab.pull({ origin, path, clients: 1 });
    if ((await lab.traffic()).bytes < 10_000) return;
  }
  throw new Error('the blob never got to S3');
}

function valued(value: number | undefined): { readonly quayside?: number } {
  return value === undefined ? {} : { quayside: value };
}

function target(what: string, value: number | undefined, bound: number): Target {
  return { what, value, sense: 'at most', bound, unit: 'calls' };
}
