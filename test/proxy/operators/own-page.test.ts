import type { IncomingHttpHeaders } from 'node:http';
import { test } from 'tap';
import { requireOwnPage } from '../../../src/proxy/operators/browser-login.ts';

const host = 'console.example:8401';
const [own, other] = [`https://${host}`, 'https://evil.example:8401'];

/** What a browser says of the page that sends a request, and whether the page is ours. */
const requests: readonly (readonly [method: string, headers: IncomingHttpHeaders, isOurs: boolean])[] = [
  ['POST', { origin: own }, true],
  ['POST', { 'sec-fetch-site': 'same-origin' }, true],
  ['POST', { origin: own, 'sec-fetch-site': 'same-origin' }, true],
  ['GET', {}, true],
  ['GET', { 'sec-fetch-site': 'none' }, true],
  ['POST', {}, false],
  ['POST', { origin: other }, false],
  ['POST', { origin: 'null' }, false],
  ['POST', { origin: other, 'sec-fetch-site': 'same-origin' }, false],
  ['POST', { origin: own, 'sec-fetch-site': 'same-site' }, false],
  ['POST', { 'sec-fetch-site': 'none' }, false],
  ['GET', { origin: other }, false],
  ['HEAD', { origin: other }, false],
  ['GET', { 'sec-fetch-site': 'cross-site' }, false],
];

for (const [method, headers, isOurs] of requests)
  test(`${method} with ${JSON.stringify(headers)} is ${isOurs ? '' : 'not '}of a page of ours`, async (t) => {
    const check = (): void => requireOwnPage({ method, headers: { host, ...headers } });
    if (isOurs) t.doesNotThrow(check);
    else t.throws(check, { code: 'DENIED' });
  });
