import type { Test } from 'tap';
import { adminServer, listening } from '../../src/app/server.ts';
import type { Operators, OperatorVerdict } from '../../src/auth/clusters/operators.ts';
import { createSealedLogins } from '../../src/auth/tokens/sealed-logins.ts';
import { randomTokenKeys } from '../../src/auth/tokens/token-keys.ts';
import type { Clock } from '../../src/base/time/wait.ts';
import type { ConsoleFeed } from '../../src/proxy/console/stream.ts';
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts';

interface ConsoleRigOptions {
  /** What the file or the cluster says of each token. Default: no logins are configured. */
  readonly verdicts?: Record<string, OperatorVerdict>;
  readonly feed?: ConsoleFeed;
  readonly clock?: Clock;
  /** Milliseconds since the epoch, for logins. */
  readonly now?: () => number;
}

/** The admin server with a console over given sections, on loopback. */
export async function consoleRig(t: Test, { verdicts, feed, clock, now }: ConsoleRigOptions = {}) {
  const audit: object[] = [];
  const asked: object[] = [];
  let forgotten = 0;
  const keys = randomTokenKeys();
  const operators: Operators = {
    async judge(token, question) {
      asked.push(question);
      return verdicts?.[token] ?? { kind: 'unknown' };
    },
  };
  const app = adminServer({
    meters: createMetrics(),
    isReady: async () => true,
    forget: () => {
      forgotten += 1;
    },
    listen: '127.0.0.1:0',
    trustedProxies: () => [],
    operated: (event) => audit.push(event),
    ...(verdicts && { operators }),
    console: {
      feed: feed ?? { sections: async () => ({}) },
      data: {
        content: async (query) => ({ query }),
        eviction: async (percent) => ({ percent }),
        settings: () => ({ settings: {} }),
        jobFile: async (name, text) => ({ name, bytes: text.length }),
        nodePlaces: async (conf, image) => [{ location: `bytes:${conf.length}`, image }],
      },
      logins: createSealedLogins({ keys: () => keys, lastsMs: 1_000, ...(now && { now }) }),
      ...(clock && { clock }),
    },
  });
  const address = await listening(app, '127.0.0.1:0');
  t.teardown(() => app.close());
  const origin = `http://${address}`;
  return {
    app,
    origin,
    audit,
    asked,
    forgotten: () => forgotten,
    /** A request as a browser on a page of that origin sends it. */
    browser: (path: string, { method = 'GET', cookie = '', from = origin, body }: BrowserOptions = {}) =>
      fetch(`${origin}${path}`, {
        method,
        redirect: 'manual',
        headers: {
          'sec-fetch-site': from === origin ? 'same-origin' : 'cross-site',
          ...(method === 'GET' ? {} : { origin: from }),
          ...(cookie === '' ? {} : { cookie }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
  };
}

interface BrowserOptions {
  readonly method?: string;
  readonly cookie?: string;
  readonly from?: string;
  readonly body?: object;
}

/** The pair of a `Set-Cookie` value, as a browser sends it back. */
export function cookieIn({ headers }: Response): string {
  return headers.get('set-cookie')?.split(';', 1)[0] ?? '';
}
