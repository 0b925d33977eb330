import type { S3Client } from '@aws-sdk/client-s3';
import { field, isText } from '../../../base/text/json.ts';

/** Less than what S3 refuses, a quarter of an hour, and more than an answer takes; milliseconds. */
const leastStepMs = 4 * 60_000;

/**
 * Makes a call again, once, that was signed by a clock which turned out to be wrong: the SDK learns
 * the time of S3 from each answer. By itself it tries again only where our clock became wrong, not
 * where it was set right: then three refusals would open the breaker.
 */
export function signedInTime(client: S3Client): S3Client {
  client.middlewareStack.addRelativeTo(
    <Args extends object, Answer>(next: (args: Args) => Promise<Answer>) =>
      async (args: Args): Promise<Answer> => {
        const before = client.config.systemClockOffset;
        try {
          return await next(args);
        } catch (error) {
          const isWrong = isOfWrongClock(client, before);
          // What S3 refused for the time it has not done.
          const isRefused = field(field(error, '$metadata'), 'httpStatusCode') === 403;
          if (!isRefused || !isWrong || !canBeSentAgain(field(field(args, 'request'), 'body'))) throw error;
          return await next(args);
        }
      },
    { relation: 'before', toMiddleware: 'httpSigningMiddleware', name: 'signedInTime' },
  );
  return client;
}

/** What one of the clients of one S3 learns of its time, all know. */
export function shareTime(clients: readonly S3Client[]): void {
  let offsetMs = 0;
  const shared = {
    get: () => offsetMs,
    set(ms: number): void {
      offsetMs = ms;
    },
  };
  for (const { config } of clients) Object.defineProperty(config, 'systemClockOffset', shared);
}

/** Whether what was signed at that difference to the time of S3 is of a clock that was wrong. */
export function isOfWrongClock({ config }: S3Client, offsetMs: number): boolean {
  return Math.abs(config.systemClockOffset - offsetMs) >= leastStepMs;
}

/** The time of S3, by the last answer to this client. */
export function timeOfS3({ config }: S3Client): Date {
  return new Date(Date.now() + config.systemClockOffset);
}

function canBeSentAgain(body: unknown): boolean {
  return body === undefined || isText(body) || body instanceof Uint8Array;
}
