import { test } from 'tap';
import { imagePattern } from '../../../src/base/text/image-pattern.ts';

const fits: readonly (readonly [pattern: string, image: string])[] = [
  ['quay.io', 'quay.io/team/app'],
  ['quay.io', 'quay.io'],
  ['*.dkr.ecr.*.amazonaws.com', '123.dkr.ecr.eu-west-1.amazonaws.com/app'],
  ['*.azurecr.io', 'example.azurecr.io/team/app'],
  ['app*.k8s.io', 'app1.k8s.io/x'],
  ['quay.io/team', 'quay.io/team'],
  ['quay.io/team/', 'quay.io/team/app'],
  ['registry.io:8080/path', 'registry.io:8080/path/app'],
];

const fails: readonly (readonly [pattern: string, image: string])[] = [
  ['quay.io', 'quay.io.example.com/team/app'],
  ['quay.io', 'evil-quay.io/team/app'],
  ['*.io', 'app.k8s.io/x'],
  ['*', 'quay.io/x'],
  ['*.dkr.ecr.*.amazonaws.com', '123.dkr.ecr.eu-west-1.amazonaws.com.cn/app'],
  ['quay.io/team', 'quay.io/team-evil/app'],
  ['quay.io/team', 'quay.io'],
  ['registry.io', 'registry.io:8080/app'],
  ['registry.io:8080', 'registry.io/app'],
];

test('a pattern of images fits by parts of the host, the port, and components of the path', async (t) => {
  for (const [pattern, image] of fits) t.ok(imagePattern(pattern).test(image), `${pattern} ${image}`);
  for (const [pattern, image] of fails) t.notOk(imagePattern(pattern).test(image), `${pattern} ${image}`);
});

test('a text that is no pattern of images is refused', async (t) => {
  for (const text of ['', 'https://quay.io', 'quay.io?x', 'Quay.io', 'quay.io/*', '$(id).io'])
    t.throws(() => imagePattern(text), /must be a host/, text);
});
