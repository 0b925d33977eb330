import { test } from 'tap';
import { parse } from 'yaml';
import { peerConfiguration } from '../../bench/peers/peers.ts';

const ground = { directory: '/bench', upstream: 'http://127.0.0.1:5000' };
const tls = { certFile: '/bench/cert', keyFile: '/bench/key' };
const s3 = { endpoint: 'http://127.0.0.1:9000', bucket: 'bench', redirect: 'never' } as const;
const files = ['quayside.yaml', 'distribution.yml', 'docker-registry.yml', 'nginx.conf', 'zot.yaml'];

test('each configuration of a peer is whole, with all that is on and with nothing', async (t) => {
  for (const file of files) {
    for (const options of [{}, { tls, s3, htpasswdFile: '/bench/logins' }]) {
      const text = await peerConfiguration(file, ground, 5001, options);
      t.notMatch(text, /\{\{\w+\}\}|# only: \w+$/m, `${file} has no mark left`);
      t.match(text, '5001', `${file} has its port`);
      if (!file.endsWith('.conf')) t.type(parse(text), 'object', `${file} is YAML`);
    }
  }
});

test('a line for a variant stands in that variant alone', async (t) => {
  const plain = await peerConfiguration('nginx.conf', ground, 5001, {});
  t.match(plain, 'listen 127.0.0.1:5001 backlog');
  t.notMatch(plain, ' ssl ');
  const secure = await peerConfiguration('nginx.conf', ground, 5001, { tls });
  t.match(secure, 'listen 127.0.0.1:5001 ssl backlog');
  t.match(secure, 'ssl_certificate /bench/cert;');
});
