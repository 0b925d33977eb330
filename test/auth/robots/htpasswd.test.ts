import { test } from 'tap';
import { parseHtpasswd } from '../../../src/auth/robots/htpasswd.ts';

const hash = '$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC';

test('names and bcrypt hashes are read, comments and empty lines are not', async (t) => {
  const read = parseHtpasswd(`# robots\n\none:${hash}\r\ntwo:${hash.replace('$2y', '$2b')}\n`);
  t.same([...read.keys()], ['one', 'two']);
  t.equal(read.get('one'), hash);
});

test('of two lines for a name the last one counts', async (t) => {
  const other = hash.replace('$05', '$06');
  t.equal(parseHtpasswd(`a:${hash}\na:${other}`).get('a'), other);
});

test('a line that accepts no login is reported, and its hash is not', async (t) => {
  for (const line of [
    'b:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=',
    'b:$apr1$abc$def',
    'b:plain',
    'b',
    ':x',
    `b:${hash.slice(0, -1)}`,
    `b:${hash.replace('$05', '$15')}`,
    `b:${hash.replace('$05', '$03')}`,
  ]) {
    t.throws(() => parseHtpasswd(`a:${hash}\n${line}\n`), /^line 2 of the htpasswd file (?!.*SHA)/, line);
  }
});
