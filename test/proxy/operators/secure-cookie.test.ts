import { test } from 'tap';
import { loginCookie } from '../../../src/proxy/operators/browser-login.ts';

test('the cookie goes over TLS alone where the page, or any proxy on the way, says so', async (t) => {
  const isSecure = (headers: Record<string, string | string[]>): boolean =>
    loginCookie('x', 60, { method: 'POST', headers }).endsWith('; Secure');
  for (const headers of [
    { origin: 'https://console.example' },
    { 'x-forwarded-proto': 'https' },
    { 'x-forwarded-proto': 'https,http' },
    { 'x-forwarded-proto': 'http, HTTPS' },
    { forwarded: 'for=192.0.2.1;proto=https;by=203.0.113.4' },
    { forwarded: 'for=192.0.2.1;proto=http, for=192.0.2.2; Proto="https"' },
    { origin: 'https://console.example', 'x-forwarded-proto': 'http' },
  ])
    t.ok(isSecure(headers), JSON.stringify(headers));
  for (const headers of [
    {},
    { origin: 'http://127.0.0.1:8401' },
    { 'x-forwarded-proto': 'http' },
    { 'x-forwarded-proto': 'httpsx' },
    { forwarded: 'for=https;proto=http' },
  ])
    t.notOk(isSecure(headers), JSON.stringify(headers));
});
