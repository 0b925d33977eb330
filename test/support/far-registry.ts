import { createServer, request } from 'node:http';
import type { Test } from 'tap';
import { listening } from './listening.ts';
import { type RegistryDouble, registryDouble } from './registry-double.ts';

/** A public registry for clients: only a proxy knows its name. */
interface FarRegistry {
  readonly double: RegistryDouble;
  /** `http://registry.example.com` */
  readonly url: string;
  /** The proxy's own URL. */
  readonly proxy: string;
  /** Whatever else the proxy was asked for. */
  readonly strayed: readonly string[];
}

const far = 'registry.example.com';

/** Starts the registry and the proxy, which know absolute URLs alone; both end with the test. */
export async function farRegistry(t: Test): Promise<FarRegistry> {
  const double = await registryDouble();
  const strayed: string[] = [];
  const proxy = createServer((asked, answer) => {
    const url = new URL(asked.url ?? '');
    if (url.host !== far) {
      strayed.push(url.href);
      answer.writeHead(502).end();
      return;
    }
    const { method = 'GET', headers } = asked;
    const onward = request(new URL(url.pathname + url.search, double.url), { method, headers }, (given) => {
      answer.writeHead(given.statusCode ?? 502, given.headers);
      given.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    asked.pipe(onward);
  });
  proxy.on('connect', ({ url }, socket) => {
    strayed.push(String(url));
    socket.destroy();
  });
  const { host, close } = await listening(proxy);
  t.teardown(async () => {
    await close();
    await double.close();
  });
  return { double, url: `http://${far}`, proxy: `http://${host}`, strayed };
}
