import { test } from 'tap';
import {
  imageReferenceOrNone,
  parseImageReference,
  pinned,
  taggedImage,
} from '../../../src/mirror/references/image-reference.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';

const digest = digestOf(Buffer.from('an image'));

test('an image has its text as it was written, and what that means', (t) => {
  const text = 'docker://alpine';
  const latest = { registry: 'docker.io', repository: 'library/alpine', reference: { tag: 'latest' } };
  t.same(parseImageReference(text), { ...latest, text });
  const both = parseImageReference(`localhost:5000/a/b:c@${digest}`);
  t.match(both, { registry: 'localhost:5000', repository: 'a/b', reference: { tag: 'c', digest } });
  const made = taggedImage('quay.io', parseRepository('a/b'), parseTag('c'));
  t.same(parseImageReference('quay.io/a/b:c'), made);
  t.end();
});

test('what is no image of a registry is refused', (t) => {
  for (const text of ['quay.io/NO:c', 'file://a/b:1', 'oci:/a:1', 'gcr.io/a/b:*', 'Not A Spec']) {
    t.throws(() => parseImageReference(text), { code: 'NAME_INVALID' }, text);
    t.equal(imageReferenceOrNone(text), undefined, text);
  }
  t.end();
});

test('an image is pinned to what its tag means now', (t) => {
  const specs = {
    'quay.io/openshift/ci:a': 'quay.io/openshift/ci',
    'localhost:5000/a/b': 'localhost:5000/a/b',
  };
  for (const [text, place] of Object.entries(specs)) {
    const image = pinned(parseImageReference(text), digest);
    t.same(image, parseImageReference(`${place}@${digest}`));
  }
  t.end();
});
