import { test } from 'tap';
import {
  expanded,
  type Mapping,
  parseMappingFile,
  parseMappings,
} from '../../../src/mirror/batch/mapping.ts';
import { pullSpecText } from '../../../src/mirror/references/pull-spec.ts';
import { parseTag } from '../../../src/oci/reference.ts';

const digest = `sha256:${'b'.repeat(64)}`;

function texts(mappings: readonly Mapping[]): string[] {
  return mappings.map(({ source, destination }) => `${pullSpecText(source)} ${pullSpecText(destination)}`);
}

function tagsOf(...tags: string[]) {
  return async () => tags.map(parseTag);
}

test('a line holds pairs, or one source and its destinations; comments and blank lines are nothing', async (t) => {
  const file = [
    '# all of it',
    'q.io/a:1=r.io/a:1  q.io/b:1=r.io/b:2 # twice',
    '',
    '  q.io/c:1 r.io/c:1 r.io/c:2\r',
    `q.io/d@${digest} r.io/d`,
  ].join('\n');
  const { mappings, faults } = parseMappingFile('m.txt', file);
  t.same(texts(mappings), [
    'q.io/a:1 r.io/a:1',
    'q.io/b:1 r.io/b:2',
    'q.io/c:1 r.io/c:1',
    'q.io/c:1 r.io/c:2',
    `q.io/d@${digest} r.io/d`,
  ]);
  t.equal(mappings[2]?.where, 'file m.txt, line 4');
  t.same(faults, []);
});

test('a destination without a tag takes the one of its source', async (t) => {
  t.same(texts(parseMappings(['q.io/a:1', 'r.io/a'])), ['q.io/a:1 r.io/a:1']);
  t.same(texts(parseMappings([`q.io/a:1@${digest}`, 'r.io/a'])), [`q.io/a:1@${digest} r.io/a:1`]);
});

test('a mistake names the file and the line', async (t) => {
  const mistakes: Readonly<Record<string, RegExp>> = {
    'q.io/a:1': /must specify one SRC argument/,
    '=r.io/a:1': /must be valid SRC=DST mappings/,
    'q.io/a:1=': /must be valid SRC=DST mappings/,
    'q.io/a:1=r.io/a:1 q.io/b:1': /must be valid SRC=DST mappings/,
    'q.io/a:1 r.io/UP:1': /"r.io\/UP:1" is not a valid image reference/,
    [`q.io/a:1 r.io/a@${digest}`]: /specify a tag for DST or leave it blank/,
    'q.io/a:v* r.io/a:1': /when source contains wildcards, the destination must be a repository/,
    'q.io/a r.io/a:1': /the destination must be a repository/,
    'q.io/a:1 r.io/a:*': /expansion is only possible in SRC/,
    'q.io/a:1 s3://s3.amazonaws.com/r/b/a:1': /buckets are not supported/,
    'quay.io:team/app r.io/a': /what follows quay\.io: is not a port/,
    'q.io/a:1 docker-archive:x.tar': /docker-archive: is a transport/,
  };
  for (const [line, message] of Object.entries(mistakes)) {
    const file = `q.io/fine:1=r.io/fine:1\n${line}\n`;
    const { mappings, faults } = parseMappingFile('m.txt', file);
    t.match(faults, [message], line);
    t.match(faults, [/^file m\.txt, line 2: /], line);
    t.same(texts(mappings), ['q.io/fine:1 r.io/fine:1'], 'the other line stands');
  }
});

test('a glob, and a source without a tag, become the tags that there are', async (t) => {
  const list = tagsOf('v1', 'v2', 'latest');
  t.same(texts((await expanded(parseMappings(['q.io/a:v*', 'r.io/b']), list)).mappings), [
    'q.io/a:v1 r.io/b:v1',
    'q.io/a:v2 r.io/b:v2',
  ]);
  t.equal((await expanded(parseMappings(['q.io/a=file://b']), list)).mappings.length, 3);
  const twice = await expanded(parseMappings(['q.io/a=r.io/b']), tagsOf('v1', 'v1'));
  t.same([twice.mappings.length, twice.unplanned], [1, []], 'a tag that is listed twice is one');
});

test('a mapping that cannot be planned leaves the others as they are', async (t) => {
  const mapped = parseMappings(['q.io/a:v9*=r.io/a', 'q.io/b=r.io/b', 'q.io/c:1=r.io/c']);
  const { mappings, unplanned } = await expanded(mapped, async ({ repository }) => {
    if (repository === 'b') throw new Error('told nothing');
    return ['v1'].map(parseTag);
  });
  t.same(texts(mappings), ['q.io/c:1 r.io/c:1']);
  t.match(unplanned, [
    { error: { name: 'MappingError', kind: 'source-gone', message: 'no tag fits q.io/a:v9*' } },
    { error: { message: 'told nothing' } },
  ]);
});

test('each destination may be named once', async (t) => {
  const twice = parseMappingFile('m.txt', 'q.io/a:1 r.io/a:1\nq.io/b:1 r.io/a:1').mappings;
  const message = 'file m.txt, line 2: each destination tag may only be specified once: r.io/a:1';
  t.match(await expanded(twice, tagsOf()), { mappings: { length: 1 }, unplanned: [{ error: { message } }] });
  const byDigest = parseMappings([`q.io/a@${digest}=r.io/a`, `q.io/b@${digest}=r.io/a`]);
  t.equal((await expanded(byDigest, tagsOf())).mappings.length, 2);
});

test('an image is not copied onto itself', async (t) => {
  const message = 'SRC and DST may not be the same';
  const { mappings, unplanned } = await expanded(parseMappings(['q.io/a:1', 'q.io/a']), tagsOf());
  t.same(mappings, []);
  t.match(unplanned, [{ error: { message } }]);
});
