import { test } from 'tap';
import { createBuiltAt } from '../../../src/mirror/images/built-at.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { app, copyRig } from '../../support/copy-rig.ts';
import { indexImage, type MemoryImage, plainImage } from '../../support/memory-images.ts';

const never = new AbortController().signal;
const at = (created: string) => plainImage(`x","created":"${created}`, []);
const amd64 = at('2026-01-02T03:04:05.678901234Z');

async function told(image: MemoryImage, pullSpec = `example.com/${app}:latest`) {
  const { source } = copyRig(image);
  return await createBuiltAt(() => source)(parseImageReference(pullSpec), never);
}

for (const [title, image] of [
  ['an image', amd64],
  [
    'an index, by its child for linux/amd64',
    indexImage([
      ['linux/arm64', at('2025-01-01T00:00:00Z')],
      ['linux/amd64', amd64],
    ]),
  ],
] as const) {
  test(`${title} says when it was built`, async (t) => {
    t.equal(await told(image), Date.parse('2026-01-02T03:04:05.678Z'));
  });
}

for (const [title, image] of [
  ['an image that does not say it', plainImage('x', [])],
  ['an image that says nonsense', at('yesterday')],
  ['an index without linux/amd64', indexImage([['linux/arm64', amd64]])],
  ['a configuration that is no JSON', plainImage('"', [])],
] as const) {
  test(`no build time for ${title} was built`, async (t) => {
    t.equal(await told(image), undefined);
  });
}

test('the build time of a missing image is unknown', async (t) => {
  t.equal(await told(amd64, `example.com/${app}:none`), undefined);
});

test('a registry that fails is no failure of ours, an abort is', async (t) => {
  const causes: unknown[] = [];
  const image = parseImageReference(`example.com/${app}:latest`);
  const broken = createBuiltAt(
    () => Promise.reject(new Error('down')),
    (named, error) => causes.push([named, error]),
  );
  t.equal(await broken(image, never), undefined);
  t.match(causes, [[image, { message: 'down' }]], 'and the cause is told');
  const stop = AbortSignal.abort(new Error('enough'));
  await t.rejects(broken(image, stop), { message: 'enough' });
  t.equal(causes.length, 1);
});
