import { test } from 'tap';
import { digestOf } from '../../src/oci/digest.ts';
import { isTag, parseTag } from '../../src/oci/reference.ts';
import { rootLabel, rootOf } from '../../src/oci/root-label.ts';

const bytes = Buffer.from('manifest');

test('a label has the form of a tag, and leads back to its manifest alone', (t) => {
  const label = rootLabel(digestOf(bytes));
  t.ok(isTag(label));
  t.equal(label && rootOf(label), digestOf(bytes));
  t.equal(rootLabel(digestOf(bytes, 'sha512')), undefined, 'no image stream names it');
  for (const tag of [
    'latest',
    '_below_sha256-',
    `sha256-${'0'.repeat(64)}`,
    `_below_sha256-${'0'.repeat(63)}`,
  ])
    t.equal(rootOf(parseTag(tag)), undefined, tag);
  t.end();
});
