import { test } from 'tap';
import { shownSettings } from '../../../src/app/console/settings.ts';
import { Expression } from '../../../src/base/text/expression.ts';
import { load } from '../../../src/config/load.ts';

test('settings are shown with their defaults, expressions as they were written', (t) => {
  const shown = shownSettings(load('eviction: { maxBytes: 10GiB, pins: ["quay\\\\.io/.*"] }', {}));
  t.match(shown, {
    listen: '127.0.0.1:8400',
    eviction: { maxBytes: 10_737_418_240, highPercent: 90, pins: ['quay\\.io/.*'] },
  });
  t.end();
});

test('what is secret by its name, or has the form of a credential, is left out; files are named', (t) => {
  const shown = JSON.stringify(
    shownSettings({
      url: 'https://ann:hunter2@registry.example',
      passwordFile: '/etc/password',
      tokenKeyFiles: ['/etc/key'],
      password: 'hunter2',
      secretAccessKey: 'hunter2',
      proxy: 'http://ann:hunter2@proxy.example:3128',
      exec: [{ name: 'ecr-login', args: ['--key=hunter2'], env: { AWS_ACCESS: 'hunter2' } }],
      headers: { token: ['hunter2'] },
      tokenValiditySeconds: 300,
      pattern: Expression.anywhere('a+'),
    }),
  );
  t.notMatch(shown, 'hunter2');
  for (const word of [
    '/etc/password',
    '/etc/key',
    'registry.example',
    'proxy.example',
    'ecr-login',
    'AWS_ACCESS',
    '300',
    'a+',
  ])
    t.match(shown, word);
  t.end();
});
