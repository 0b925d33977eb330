import { test } from 'tap';
import { imageStreamTagText, parseImageStreamTag } from '../../src/image-streams/image-stream-tag.ts';

test('an image stream’s tag is read and written', async (t) => {
  const tag = { namespace: 'ocp', name: '4.5', tag: 'base' };
  t.same(parseImageStreamTag('ocp/4.5:base'), tag);
  t.equal(imageStreamTagText(tag), 'ocp/4.5:base');
});

for (const text of [
  '',
  'ocp',
  'ocp/4.5',
  'ocp:x/4.5:base',
  'ocp/4.5:base:x',
  'ocp/4.5/x:base',
  '/4.5:base',
  'ocp/:base',
  'ocp/4.5:',
]) {
  test(`"${text}" is no image stream’s tag`, async (t) => {
    t.equal(parseImageStreamTag(text), undefined);
  });
}
