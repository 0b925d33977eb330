import { test } from 'tap';
import { nodePlaces } from '../../../src/cli/explain/node-places.ts';

const conf = `
[[registry]]
prefix = "quay.io"
location = "quay.io"
[[registry.mirror]]
location = "cache.example.com/quay.io"
[[registry.mirror]]
location = "old.example.com/quay.io"
pull-from-mirror = "digest-only"
`;

test('a registries.conf says where a node asks for an image, in order', async (t) => {
  t.match(await nodePlaces(conf, 'quay.io/team/app:v1'), [
    { location: 'cache.example.com/quay.io/team/app', image: 'cache.example.com/quay.io/team/app:v1' },
    { location: 'old.example.com/quay.io/team/app', skipped: /digest-only/ },
    { location: 'quay.io/team/app', image: 'quay.io/team/app:v1' },
  ]);
  t.match(await nodePlaces('', 'docker.io/library/busybox'), [{ location: 'docker.io/library/busybox' }]);
});

test('what is no configuration, and no image, is a mistake in words', async (t) => {
  await t.rejects(nodePlaces('[[', 'quay.io/team/app:v1'), { code: 'NAME_INVALID', message: /not TOML/ });
  await t.rejects(nodePlaces('[[registry]]', 'quay.io/a/b'), { message: /neither prefix nor location/ });
  await t.rejects(nodePlaces(conf, 'K3v9Qx2a-1f!'), { message: /no image that a node names/ });
});
