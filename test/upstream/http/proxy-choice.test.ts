import { test } from 'tap';
import { proxyFor } from '../../../src/upstream/http/proxy-choice.ts';

const quay = new URL('https://quay.io/v2/');
const env = { HTTPS_PROXY: 'http://proxy.example.com:3128', http_proxy: 'plain.example.com:8080' };

function exempts(list: string, url: string): boolean {
  return proxyFor(new URL(url), undefined, { ...env, NO_PROXY: list }) === undefined;
}

test('the environment decides by scheme, in either case', async (t) => {
  t.equal(proxyFor(quay, undefined, env)?.href, 'http://proxy.example.com:3128/');
  t.equal(proxyFor(new URL('http://quay.io'), undefined, env)?.href, 'http://plain.example.com:8080/');
  t.equal(proxyFor(quay, undefined, {}), undefined);
  t.equal(proxyFor(quay, undefined, { HTTPS_PROXY: '' }), undefined);
});

test('the setting of the upstream goes before the environment', async (t) => {
  t.equal(proxyFor(quay, 'http://own.example.com:1', env)?.host, 'own.example.com:1');
  t.equal(proxyFor(quay, 'none', env), undefined);
});

test('this machine is not behind a proxy of the environment', async (t) => {
  for (const url of ['https://localhost/', 'https://127.0.0.1/', 'https://[::1]/']) {
    t.equal(proxyFor(new URL(url), undefined, env), undefined);
  }
});

test('NO_PROXY names hosts, domains, ports, addresses and networks', async (t) => {
  t.ok(exempts('quay.io', 'https://quay.io'));
  t.ok(exempts('quay.io', 'https://cdn.quay.io'));
  t.ok(exempts('.quay.io', 'https://cdn.quay.io'));
  t.ok(exempts('*.quay.io, ghcr.io', 'https://cdn.quay.io'));
  t.ok(exempts('quay.io:443', 'https://quay.io'));
  t.ok(exempts('*', 'https://quay.io'));
  t.ok(exempts('10.0.0.0/8', 'https://10.1.2.3'));
  t.ok(exempts('fd00::/8', 'https://[fd00::1]'));
  t.ok(exempts('192.0.2.1', 'https://192.0.2.1'));
});

test('NO_PROXY exempts nothing else', async (t) => {
  t.notOk(exempts('quay.io', 'https://notquay.io'));
  t.notOk(exempts('.quay.io', 'https://quay.io'));
  t.notOk(exempts('quay.io:8443', 'https://quay.io'));
  t.notOk(exempts('10.0.0.0/8', 'https://11.1.2.3'));
  t.notOk(exempts('10.0.0.0/99', 'https://10.1.2.3'));
  t.notOk(exempts('', 'https://quay.io'));
});

test('a malformed proxy is not quoted', async (t) => {
  t.throws(() => proxyFor(quay, 'http://user:secret@', env), {
    message: 'the URL of the proxy is malformed',
  });
});
