import { createHash } from 'node:crypto';
import { test } from 'tap';
import { consoleRig } from '../../support/console-rig.ts';

const modules = /(?:import|export)\b[^;()'"`=]*?from\s*["']([^"']+)["']/g;

test('the page and all that its modules import come from the server itself', async (t) => {
  const { origin } = await consoleRig(t);
  const page = await (await fetch(`${origin}/console/`)).text();
  const { imports } = JSON.parse(/<script type="importmap">(.+?)<\/script>/.exec(page)?.[1] ?? '{}') as {
    imports: Record<string, string>;
  };
  const linked = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
  const waiting = linked.map((path) => new URL(path, `${origin}/console/`));
  const seen = new Set<string>();
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (seen.has(url.href)) continue;
    seen.add(url.href);
    t.equal(url.origin, origin);
    const answer = await fetch(url);
    t.equal(answer.status, 200, url.pathname);
    const text = await answer.text();
    if (!answer.headers.get('content-type')?.startsWith('text/javascript')) continue;
    for (const [, name = ''] of text.matchAll(modules)) {
      const target = name.startsWith('.')
        ? new URL(name, url)
        : new URL(imports[name] ?? 'missing:', `${origin}/console/`);
      t.not(target.protocol, 'missing:', `${url.pathname} imports ${name}`);
      waiting.push(target);
    }
  }
  t.ok(seen.size > 25, `${seen.size} files`);
});

test('no script runs that is not a file of the server, nor a style', async (t) => {
  const { origin } = await consoleRig(t);
  const answer = await fetch(`${origin}/console/`);
  const policy = answer.headers.get('content-security-policy') ?? '';
  t.notMatch(policy, 'unsafe');
  t.match(policy, "default-src 'none'");
  t.match(policy, "frame-ancestors 'none'");
  const page = await answer.text();
  const inline = [...page.matchAll(/<script[^>]*>([^<]+)<\/script>/g)].map(([, text = '']) => text);
  t.same(
    inline.map((text) => policy.includes(`'sha256-${createHash('sha256').update(text).digest('base64')}'`)),
    [true],
  );
  t.notMatch(page, /style=|onclick|<style/i);
});

test('a file is sent again only when it changed', async (t) => {
  const { origin } = await consoleRig(t);
  for (const path of ['/console/', '/console/files/console.css', '/console/files/lib/preact.js']) {
    const etag = (await fetch(origin + path)).headers.get('etag') ?? '';
    t.match(etag, /^"[\w-]{27}"$/);
    const again = await fetch(origin + path, { headers: { 'if-none-match': `"other", ${etag}` } });
    t.equal(again.status, 304);
    t.equal(again.headers.get('cache-control'), 'no-cache');
  }
});

test('what is not on the list of files is not there', async (t) => {
  const { app, origin } = await consoleRig(t);
  for (const path of [
    '..%2f..%2fpackage.json',
    '../../package.json',
    '%2e%2e/%2e%2e/package.json',
    'lib/../../../package.json',
    'main.ts.map',
    'views',
    '',
    'constructor',
  ])
    t.equal((await app.inject({ url: `/console/files/${path}` })).statusCode, 404, path);
  t.equal((await fetch(`${origin}/console`, { redirect: 'manual' })).headers.get('location'), '/console/');
});

test('a registries.conf that a browser sends says where a node asks for an image', async (t) => {
  const { origin } = await consoleRig(t);
  const sent = (query: string, body = 'x') =>
    fetch(`${origin}/console/node-config${query}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/plain' },
    });
  t.same(await (await sent('?image=quay.io/a/b')).json(), {
    image: 'quay.io/a/b',
    places: [{ location: 'bytes:1', image: 'quay.io/a/b' }],
  });
  t.equal((await sent('')).status, 400);
  t.equal((await sent('?image=quay.io/a/b', 'x'.repeat(1024 * 1024 + 1))).status, 413);
});
