import { test } from 'tap';
import { imageStreamTagText } from '../../../src/image-streams/image-stream-tag.ts';
import {
  appCiImage,
  backupAt,
  backupImage,
  brokenTag,
  keptSince,
  quayImage,
  quayProxyImage,
} from '../../../src/mirror/references/names.ts';

const base = { namespace: 'ocp', name: '4.5', tag: 'base' };

test('an ImageStreamTag has one name in each place', (t) => {
  t.equal(imageStreamTagText(base), 'ocp/4.5:base');
  t.equal(quayImage(base), 'quay.io/openshift/ci:ocp_4.5_base');
  t.equal(quayProxyImage(base), 'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.5_base');
  t.equal(appCiImage(base), 'registry.ci.openshift.org/ocp/4.5:base');
  t.equal(appCiImage(base, 'sha256:12'), 'registry.ci.openshift.org/ocp/4.5@sha256:12');
  t.end();
});

test('a backup carries its time and its image, within the length of a tag', (t) => {
  const at = Date.UTC(2025, 9, 23, 14, 2, 42, 999);
  const boskos = { namespace: 'ci', name: 'boskos', tag: 'latest' };
  t.equal(
    backupImage(boskos, at),
    'quay.io/openshift/ci:20251023140242_prune___ci_images_mirror__ci_boskos_latest',
  );
  t.equal(backupAt(backupImage(boskos, 0), at), backupImage(boskos, at));
  const long = backupImage({ ...boskos, tag: 'x'.repeat(127) }, at);
  t.equal(long.slice(long.indexOf(':') + 1).length, 128);
  t.not(long, backupImage({ ...boskos, tag: `${'x'.repeat(126)}y` }, at), 'and stays its own');
  t.end();
});

test('a kept tag says when, and of which tag it is', async (t) => {
  const tag = 'ci_boskos_latest';
  const at = Date.UTC(2025, 9, 23, 14, 2, 42);
  t.equal(keptSince(`20251023140242_prune_${tag}`, tag), '20251023140242');
  t.equal(keptSince(`20251023140242_prune___ci_images_mirror__${tag}`, tag), '20251023140242');
  for (const other of [tag, `20251023140242_prune_${tag}2`, `2025_prune_${tag}`, brokenTag(tag, at)])
    t.equal(keptSince(other, tag), undefined, other);
  const long = { namespace: 'ci', name: 'boskos', tag: 'x'.repeat(117) };
  const backup = backupImage(long, at).split(':')[1] ?? '';
  t.equal(keptSince(backup, `ci_boskos_${long.tag}`), '20251023140242');
  t.equal(keptSince(backup, `ci_boskos_${long.tag.slice(1)}y`), undefined);
});
