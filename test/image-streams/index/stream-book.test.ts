import { test } from 'tap';
import { StreamBook } from '../../../src/image-streams/index/stream-book.ts';
import type { ImageStreamObject } from '../../../src/image-streams/stream-tags.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { placesFor } from './places-rig.ts';

const dayMs = 86_400_000;
const now = Date.parse('2026-08-20T00:00:00Z');
const digestOf = (letter: string) => parseDigest(`sha256:${letter.repeat(64)}`);
const [a, b, c] = [digestOf('a'), digestOf('b'), digestOf('c')];
const repository = parseRepository('openshift/ci');
const qci = { upstream: 'quay.io', repository };
const proxied = (digest: string) => `quay-proxy.example/openshift/ci@${digest}`;

const placeOf = placesFor(
  new Map([
    ['quay.io', {}],
    ['docker.io', { library: true }],
    ['narrow.example', { repositories: ['team/*'] }],
  ]),
  { 'quay-proxy.example': undefined },
  'quay.io',
);

interface Rig {
  readonly formerMs?: number;
  readonly maxReferences?: number;
}

function rig({ formerMs = 7 * dayMs, maxReferences }: Rig = {}) {
  const clock = { now };
  const changes: string[] = [];
  const book = new StreamBook({
    placeOf,
    formerMs: () => formerMs,
    isTrusted: (namespace) => namespace === 'ocp',
    changed: ({ namespace, name }) => changes.push(`${namespace}/${name}`),
    now: () => clock.now,
    ...(maxReferences === undefined ? {} : { maxReferences }),
  });
  const tagsOf = (digest = a, place = qci) =>
    book
      .naming(place, digest)
      .map(
        ({ namespace, name, tag, until }) => `${namespace}/${name}:${tag}${until === undefined ? '' : '-'}`,
      );
  return { book, clock, changes, tagsOf };
}

/** A stream whose tags the API server has filled from what the author wrote. */
function stream(key: string, tags: object, uid = '1'): ImageStreamObject {
  const [namespace = '', name = ''] = key.split('/');
  return { metadata: { namespace, name, uid, resourceVersion: '7' }, ...tags };
}

const item = (digest: string, created: string, image = '') => ({
  created,
  image,
  dockerImageReference: proxied(digest),
});
const referenceTag = (tag: string, digest: string) => ({
  spec: { tags: [{ name: tag, from: { kind: 'DockerImage', name: proxied(digest) } }] },
  status: { tags: [{ tag, items: [item(digest, '2026-08-01T00:00:00Z')] }] },
});

test('a tag names the digest of its pull spec, in the repository that it means, and no other', (t) => {
  const { book, tagsOf } = rig();
  book.saw(stream('ocp/4.5', referenceTag('base', a)));
  t.same(tagsOf(a), ['ocp/4.5:base']);
  t.same(tagsOf(b), []);
  t.same(tagsOf(a, { upstream: 'quay.io', repository: parseRepository('openshift/other') }), []);
  t.same(tagsOf(a, { upstream: 'docker.io', repository }), []);
  t.match(book.size, { streams: 1, tags: 1, digests: 1, references: 1 });
  t.end();
});

test('a spec counts before the import, by digest and of the kind DockerImage alone', (t) => {
  const { book, tagsOf } = rig();
  const froms = [
    { kind: 'DockerImage', name: proxied(a) },
    { kind: 'DockerImage', name: `quay.io/openshift/ci:tag@${b}` },
    { kind: 'DockerImage', name: 'quay.io/openshift/ci:tag' },
    { kind: 'ImageStreamImage', name: proxied(c) },
    { kind: 'ImageStreamImage', name: `4.5@${c}` },
    { kind: 'ImageStreamTag', name: '4.5:base' },
    null,
  ];
  book.saw(stream('own/app', { spec: { tags: froms.map((from, at) => ({ name: `t${at}`, from })) } }));
  t.same([tagsOf(a), tagsOf(b), tagsOf(c)], [['own/app:t0'], ['own/app:t1'], []]);
  t.end();
});

test('an imported tag names its image, also where that is a child of an index, or it is by tag', (t) => {
  const { book, tagsOf } = rig();
  const items = (reference: string) => [{ created: '', image: b, dockerImageReference: reference }];
  const tags = [
    { tag: 'child', items: items(proxied(a)) },
    { tag: 'by-tag', items: items('quay-proxy.example/openshift/ci:x') },
    { tag: 'elsewhere', items: items(`registry.example/ocp/4.5@${b}`) },
    { tag: 'nowhere', items: [{ image: b }] },
  ];
  book.saw(stream('ocp/4.5', { status: { tags } }));
  t.same(tagsOf(a), ['ocp/4.5:child']);
  t.same(tagsOf(b), ['ocp/4.5:by-tag', 'ocp/4.5:child']);
  t.end();
});

test('former items count for formerMs after the next one began', (t) => {
  const { book, clock, tagsOf } = rig();
  const items = [
    item(a, '2026-08-19T00:00:00Z'),
    item(b, '2026-08-12T00:00:00Z'),
    item(c, '2026-08-01T00:00:00Z'),
  ];
  book.saw(stream('ocp/4.5', { status: { tags: [{ tag: 'base', items }] } }));
  t.same([tagsOf(a), tagsOf(b), tagsOf(c)], [['ocp/4.5:base'], ['ocp/4.5:base-'], []]);
  t.match(book.naming(qci, b), [{ until: Date.parse('2026-08-19T00:00:00Z') }]);
  clock.now += 6 * dayMs;
  t.same(tagsOf(b), []);
  t.equal(book.size.references, 2);
  book.expire();
  t.equal(book.size.references, 1);
  t.same(tagsOf(a), ['ocp/4.5:base']);
  t.end();
});

test('what a tag names no longer, it named until now; the present comes first', (t) => {
  const { book, clock, changes, tagsOf } = rig();
  book.saw(stream('ocp/4.5', referenceTag('base', a)));
  book.saw(stream('own/app', referenceTag('mine', a)));
  t.equal(book.saw(stream('ocp/4.5', referenceTag('base', b))), 2);
  t.same(tagsOf(a), ['own/app:mine', 'ocp/4.5:base-']);
  t.equal(book.saw(stream('ocp/4.5', referenceTag('base', b))), 0);
  t.same(changes, ['ocp/4.5', 'own/app', 'ocp/4.5']);
  book.saw(stream('ocp/4.5', referenceTag('base', a)));
  t.same(tagsOf(a).toSorted(), ['ocp/4.5:base', 'own/app:mine']);
  book.saw(stream('ocp/4.5', { status: { tags: null } }));
  t.same(tagsOf(a), ['own/app:mine', 'ocp/4.5:base-']);
  clock.now += 7 * dayMs;
  t.same(tagsOf(a), ['own/app:mine']);
  t.end();
});

test('with a formerMs of 0 only the present counts', (t) => {
  const { book, tagsOf } = rig({ formerMs: 0 });
  book.saw(stream('ocp/4.5', referenceTag('base', a)));
  book.saw(stream('ocp/4.5', referenceTag('base', b)));
  t.same([tagsOf(a), tagsOf(b)], [[], ['ocp/4.5:base']]);
  t.end();
});

test('a deleted stream names nothing, and one made anew under its name has no past', (t) => {
  const { book, changes, tagsOf } = rig();
  book.saw(stream('own/app', referenceTag('mine', a), 'first'));
  book.lost(stream('own/app', {}, 'first'));
  t.same(tagsOf(a), []);
  book.saw(stream('own/app', referenceTag('mine', a), 'second'));
  book.saw(stream('own/app', referenceTag('mine', b), 'third'));
  t.same([tagsOf(a), tagsOf(b)], [[], ['own/app:mine']]);
  t.equal(changes.length, 4);
  t.match(book.size, { streams: 1, tags: 1, digests: 1, references: 1 });
  t.end();
});

test('what a look does not find again is no more, in the namespaces that it covers', (t) => {
  const { book, tagsOf } = rig();
  for (const key of ['ocp/4.5', 'ocp/4.6', 'own/app']) book.saw(stream(key, referenceTag('base', a)));
  const looked = book.observer('ocp').look();
  book.saw(stream('ocp/4.6', referenceTag('base', a)));
  t.equal(looked(), 1);
  t.same(tagsOf(a).toSorted(), ['ocp/4.6:base', 'own/app:base']);
  t.equal(book.observer().look()(), 2);
  t.match(book.size, { streams: 0, tags: 0, digests: 0, references: 0 });
  t.end();
});

test('only our upstreams count, under their own names and under ours', (t) => {
  const { book, tagsOf } = rig();
  const names = [
    'quay.io/openshift/ci',
    'quay-proxy.example/openshift/ci',
    'QUAY-PROXY.example/openshift/ci',
    'quay-proxy.example/docker.io/openshift/ci',
    'registry.example/openshift/ci',
    'quay-proxy.example.evil/openshift/ci',
    'quay-proxy.example/registry.example/openshift/ci',
    'quay-proxy.example/localhost:5000/ci',
    'quay.io@evil/openshift/ci',
    'quay.io/openshift/ci/',
    'quay.io//openshift/ci',
    'openshift/ci',
    'narrow.example/openshift/ci',
    'busybox',
  ];
  const tags = names.map((name, at) => ({
    name: `t${at}`,
    from: { kind: 'DockerImage', name: `${name}@${a}` },
  }));
  book.saw(stream('own/app', { spec: { tags } }));
  t.same(tagsOf(a).toSorted(), ['own/app:t0', 'own/app:t1', 'own/app:t2']);
  t.same(tagsOf(a, { upstream: 'docker.io', repository }).toSorted(), ['own/app:t11', 'own/app:t3']);
  t.same(tagsOf(a, { upstream: 'docker.io', repository: parseRepository('library/busybox') }), [
    'own/app:t13',
  ]);
  t.same(tagsOf(a, { upstream: 'narrow.example', repository }), []);
  t.end();
});

test('digests that differ in one character are told apart, wherever it stands', (t) => {
  const { book, tagsOf } = rig();
  book.saw(stream('own/app', referenceTag('mine', a)));
  for (let at = 0; at < 64; at += 1) {
    const other = parseDigest(`sha256:${'a'.repeat(at)}b${'a'.repeat(63 - at)}`);
    t.same(tagsOf(other), []);
    book.saw(stream(`own/app-${at}`, referenceTag('other', other)));
    t.same(tagsOf(other), [`own/app-${at}:other`]);
  }
  t.same(tagsOf(a), ['own/app:mine']);
  t.end();
});

test('digests of both algorithms are told apart', (t) => {
  const { book, tagsOf } = rig();
  const long = parseDigest(`sha512:${'a'.repeat(128)}`);
  book.saw(stream('own/app', referenceTag('long', long)));
  t.same([tagsOf(long), tagsOf(a)], [['own/app:long'], []]);
  t.end();
});

test('what is no stream, no tag, no pull spec and no digest is left out', (t) => {
  const { book } = rig();
  const odd = [null, {}, { name: 'a b', from: { kind: 'DockerImage', name: proxied(a) } }];
  const longName = `quay.io/${'x'.repeat(2000)}@${a}`;
  const names = ['', '@', `@${a}`, 'quay.io/x@sha256:1', `quay.io/X@${a}`, `quay.io/x@${a}@${a}`, longName];
  const froms = names.map((name, at) => ({ name: `t${at}`, from: { kind: 'DockerImage', name } }));
  book.saw(stream('own/app', { spec: { tags: [...odd, ...froms] }, status: { tags: [null, { tag: 'a' }] } }));
  book.saw({});
  book.lost({});
  t.match(book.size, { streams: 1, tags: 0, digests: 0, references: 0 });
  t.end();
});

/** A stream with so many tags, each of a digest of its own, or all of one. */
function many(key: string, count: number, digestAt: (at: number) => string = () => a): ImageStreamObject {
  const tags = Array.from({ length: count }, (_, at) => ({
    name: `t${at}`,
    from: { kind: 'DockerImage', name: proxied(digestAt(at)) },
  }));
  return stream(key, { spec: { tags } });
}

const numbered = (at: number) => parseDigest(`sha256:${at.toString(16).padStart(64, '0')}`);

test('untrusted streams have a limit together, trusted ones have as much beyond it', (t) => {
  const { book } = rig({ maxReferences: 16 });
  for (let at = 0; at < 9; at += 1) book.saw(many(`team-${at}/app`, 2, (tag) => numbered(100 * at + tag)));
  t.match(book.size, { references: 16, refused: 2 });
  book.saw(many('ocp/4.5', 20, (tag) => numbered(tag)));
  t.match(book.size, { references: 32, refused: 6 });
  t.end();
});

test('an untrusted namespace takes an eighth of the room, and room that it frees again', (t) => {
  const { book, tagsOf } = rig({ maxReferences: 80 });
  book.saw(many('own/one', 8, (tag) => numbered(tag)));
  book.saw(many('own/two', 8, (tag) => numbered(100 + tag)));
  t.match(book.size, { references: 10, refused: 6 });
  book.saw(many('team/app', 1));
  t.same(tagsOf(a), ['team/app:t0']);
  book.lost(many('own/one', 0));
  book.saw(many('own/two', 8, (tag) => numbered(100 + tag)));
  t.match(book.size, { references: 9, refused: 6 });
  t.end();
});

test('no namespace crowds others out of a digest, and trusted streams always have room', (t) => {
  const { book, tagsOf } = rig();
  book.saw(many('own/app', 9_000));
  book.saw(many('own/second', 9_000));
  t.match(book.size, { references: 64, refused: 17_936 });
  book.saw(many('team/app', 2));
  book.saw(many('ocp/4.5', 300));
  t.match(book.size, { references: 366, refused: 17_936 });
  t.ok(tagsOf(a).includes('team/app:t1'));
  for (let at = 0; at < 40; at += 1) book.saw(many(`own-${at}/app`, 64));
  t.equal(book.size.references, 2_048);
  book.saw(many('ocp/4.6', 2));
  t.equal(tagsOf(a).length, 2_050);
  book.lost(many('own/app', 0));
  book.saw(many('team/app', 3));
  t.ok(tagsOf(a).includes('team/app:t2'));
  t.end();
});

test('a book without room for a stream is not whole until that stream was read whole, or is gone', (t) => {
  const { book } = rig({ maxReferences: 80 });
  t.equal(book.isWhole, true);
  book.saw(many('own/one', 8, (tag) => numbered(tag)));
  book.saw(many('own/two', 8, (tag) => numbered(100 + tag)));
  t.equal(book.isWhole, false);
  book.saw(many('own/two', 1, (tag) => numbered(100 + tag)));
  t.equal(book.isWhole, true);
  book.saw(many('own/three', 8, (tag) => numbered(200 + tag)));
  const looked = book.observer('own').look();
  t.equal(book.isWhole, false);
  looked();
  t.equal(book.isWhole, true, 'a listing without it ends it, too');
  t.end();
});

test('a digest that has taken all the room of a namespace is crowded, and no other is', (t) => {
  const { book } = rig();
  book.saw(many('own/app', 63));
  book.saw(many('ocp/4.5', 100));
  t.equal(book.isCrowded(qci, a), false);
  book.saw(many('own/second', 2));
  t.strictSame([book.isCrowded(qci, a), book.isCrowded(qci, b), book.isWhole], [true, false, true]);
  t.end();
});

test('what could not be the name of a stream is none, and identities have a length', (t) => {
  const { book, changes } = rig();
  const long = 'x'.repeat(1_000_000);
  for (const [namespace, name] of [
    ['ocp', `4.5/..`],
    ['ocp', '4.5\n'],
    ['ocp', 'a\u001b[31m'],
    ['ocp', long],
    ['ocp', '*'],
    ['ocp', 'A b'],
    [long, 'app'],
    ['ocp/x', 'app'],
    ['ocp\u0000', 'app'],
    ['*', 'app'],
  ])
    book.saw({ ...many('x/y', 1), metadata: { namespace: namespace ?? '', name: name ?? '' } });
  t.match(book.size, { streams: 0, references: 0 });
  t.same(changes, []);
  book.saw({
    ...many('x/y', 1),
    metadata: { namespace: 'ocp', name: 'a.b-c_d', uid: long, resourceVersion: long },
  });
  t.match(book.copy({ namespace: 'ocp', name: 'a.b-c_d' }), { uid: '', version: '' });
  t.end();
});

test('a cluster that invents ever new streams fills no memory', (t) => {
  const { book } = rig();
  for (let at = 0; at < 100_010; at += 1) book.saw(many(`own/app-${at}`, 0));
  t.match(book.size, { streams: 100_000, refused: 10 });
  book.saw(many('ocp/4.5', 1));
  t.match(book.size, { streams: 100_001, references: 1 });
  t.end();
});

test('a cluster that sends nonsense for a stream makes the index know less, and breaks nothing', (t) => {
  const { book } = rig();
  const nonsense: readonly unknown[] = [
    { metadata: 'ocp' },
    { metadata: { namespace: 1, name: {} } },
    { metadata: { namespace: 'ocp', name: 'a' }, spec: 'tags', status: [] },
    { metadata: { namespace: 'ocp', name: 'b' }, spec: { tags: 'no' }, status: { tags: {} } },
    { metadata: { namespace: 'ocp', name: 'c' }, spec: { tags: [1, 'a', [], { name: 'x', from: 1 }] } },
    {
      metadata: { namespace: 'ocp', name: 'd' },
      spec: { tags: [{ name: 'x', from: { kind: 'DockerImage', name: {} } }] },
    },
    {
      metadata: { namespace: 'ocp', name: 'e' },
      status: {
        tags: [
          { tag: 'x', items: 'a' },
          { tag: 'x', items: [1, {}] },
        ],
      },
    },
    {
      metadata: { namespace: 'ocp', name: 'f' },
      status: { tags: [{ tag: 'x', items: [{ created: 1, image: 1 }] }] },
    },
  ];
  for (const object of nonsense) book.saw(JSON.parse(JSON.stringify(object)));
  t.match(book.size, { streams: 6, references: 0 });
  t.end();
});

test('a stream whose author makes ever new tags keeps its latest', (t) => {
  const { book, clock } = rig();
  for (let round = 0; round < 5; round += 1) {
    const tags = Array.from({ length: 8_000 }, (_, at) => {
      const hex = (round * 8_000 + at).toString(16).padStart(64, '0');
      return { name: `t${at}`, from: { kind: 'DockerImage', name: proxied(`sha256:${hex}`) } };
    });
    book.saw(stream('own/app', { spec: { tags } }));
    clock.now += 1;
  }
  t.equal(book.size.references, 20_000);
  const digest = (at: number) => parseDigest(`sha256:${at.toString(16).padStart(64, '0')}`);
  t.equal(book.naming(qci, digest(0)).length, 0);
  t.match(book.naming(qci, digest(39_999)), [{ tag: 't7999' }]);
  t.end();
});

test('a copy restores a stream; the cluster has the last word', (t) => {
  const { book, tagsOf } = rig();
  const before = rig();
  before.book.saw(stream('ocp/4.5', referenceTag('base', a)));
  before.book.saw(stream('ocp/4.5', referenceTag('base', b)));
  const copy = before.book.copy({ namespace: 'ocp', name: '4.5' });
  if (copy === undefined) throw new Error('there is no copy');
  book.restore(copy);
  t.same([tagsOf(a), tagsOf(b)], [['ocp/4.5:base-'], ['ocp/4.5:base']]);
  t.same(book.copy(copy), copy);
  book.saw(stream('ocp/4.5', referenceTag('base', c)));
  t.same([tagsOf(a), tagsOf(b), tagsOf(c)], [['ocp/4.5:base-'], ['ocp/4.5:base-'], ['ocp/4.5:base']]);
  book.restore(copy);
  t.same(tagsOf(c), ['ocp/4.5:base']);
  t.end();
});

test('room that is freed is used again', (t) => {
  const { book } = rig();
  const tags = (round: number) =>
    Array.from({ length: 500 }, (_, at) => ({
      name: `t${at}`,
      from: {
        kind: 'DockerImage',
        name: `quay.io/r${round}/x@sha256:${(round * 500 + at).toString(16).padStart(64, '0')}`,
      },
    }));
  for (let round = 0; round < 50; round += 1) {
    book.saw(stream('own/app', { spec: { tags: tags(round) } }, `${round}`));
    book.expire();
    t.equal(book.size.references, 500);
  }
  t.match(book.size, { streams: 1, tags: 500, digests: 500, references: 500 });
  t.end();
});
