import { test } from 'tap';
import { type TagFilterOptions, tagFilter } from '../../../src/mirror/ci/tag-filter.ts';

const tag = { namespace: 'ocp', name: '4.5', tag: 'base' };
const key = 'ocp/4.5:base';
const nothing = { hasTag: () => false, hasStream: () => false };

const reasons: Readonly<Record<string, Partial<TagFilterOptions>>> = {
  'an additional tag': { additionalTags: new Set([key]) },
  'an additional namespace': { additionalNamespaces: new Set(['ocp']) },
  'a tag that a test uses': { inputs: { ...nothing, hasTag: (name) => name === key } },
  'an additional stream': { additionalStreams: new Set(['ocp/4.5']) },
  'a stream that a test uses': { inputs: { ...nothing, hasStream: (name) => name === 'ocp/4.5' } },
};

for (const [reason, options] of Object.entries(reasons)) {
  test(`${reason} is wanted, and never while it is ignored`, (t) => {
    t.ok(tagFilter({ isIgnored: () => false, ...options })(tag));
    t.notOk(tagFilter({ isIgnored: (name) => name === key, ...options })(tag));
    t.notOk(tagFilter({ isIgnored: () => false, ...options })({ namespace: 'o', name: '4', tag: 'x' }));
    t.end();
  });
}

test('nothing is wanted without a reason', (t) => {
  t.notOk(tagFilter({ isIgnored: () => false })(tag));
  t.notOk(tagFilter({ isIgnored: () => false, inputs: nothing })(tag));
  t.end();
});
