import { test } from 'tap';
import { type Mapping, parseMappingFile, parseMappings } from '../../../src/mirror/batch/mapping.ts';
import { pullSpecText } from '../../../src/mirror/references/pull-spec.ts';

const digest = `sha256:${'b'.repeat(64)}`;

function texts(mappings: readonly Mapping[]): string[] {
  return mappings.map(({ source, destination }) => `${pullSpecText(source)} ${pullSpecText(destination)}`);
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
    'q.io/a:v* r.io/a:v*': /expansion is only possible in SRC/,
    'q.io/a:*_x r.io/a:*': /DST:\* is for SRC:PREFIX\*, and strips PREFIX/,
    'q.io/a:a_*_* r.io/a:*': /DST:\* is for SRC:PREFIX\*/,
    'q.io/a r.io/a:*': /DST:\* is for SRC:PREFIX\*/,
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
