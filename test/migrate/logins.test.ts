import { test } from 'tap';
import { loginFiles, MigrationFault, renamedLogins } from '../../src/migrate/logins.ts';
import { parsePlaceRule } from '../../src/migrate/place-rules.ts';
import { createReferenceRules } from '../../src/migrate/rules.ts';

const rules = createReferenceRules(['old.test/*=new.test/*', '*/team/*=new.test/team/*'].map(parsePlaceRule));
const base64 = (text: string) => Buffer.from(text).toString('base64');

function renamed(text: string, type = 'kubernetes.io/dockerconfigjson') {
  const file = loginFiles[type];
  if (file === undefined) throw new Error(type);
  const { data, names } = renamedLogins(base64(text), file, rules);
  return { text: Buffer.from(data, 'base64').toString(), names };
}

test('only the name of a login changes: every other byte stays', async (t) => {
  const text = (name: string) =>
    `\n{ "credsStore" : "old.test",\t"auths": {\r\n  "${name}": {"auth":"b2xkLnRlc3Q6\\u0061", "n": 12345678901234567890, "x":["old.test",{"old.test":1}]},\n  "qu\\"ay.io" : {"é":"\\u00e9"} } , "HttpHeaders":{"old.test":"1"}}  `;
  const { text: after, names } = renamed(text('old.test'));
  t.equal(after, text('new.test'));
  t.same(names, [['old.test', 'new.test']]);
});

test('the older form has the names at its top', async (t) => {
  const { text } = renamed(
    '{"https://old.test/v1/":{"auths":{"old.test":{}}},"b.test":{}}',
    'kubernetes.io/dockercfg',
  );
  t.equal(text, '{"new.test":{"auths":{"old.test":{}}},"b.test":{}}');
});

test('two different logins never become one', async (t) => {
  const both = '{"auths":{"old.test":{"auth":"a"},"https://new.test/v2/":{"auth":"b"}}}';
  t.throws(() => renamed(both), MigrationFault);
  t.throws(
    () => renamed('{"auths":{"old.test":{"auth":"a"},"https://old.test":{"auth":"b"}}}'),
    MigrationFault,
  );
  try {
    renamed(both);
  } catch (error) {
    t.match(error, { message: /logins for https:\/\/new\.test\/v2\/ and old\.test would become one/ });
  }
});

test('a login that its new place has already stays where it is', async (t) => {
  const text = '{"auths":{"old.test":{"auth":"a"},"new.test":{"auth":"a"}}}';
  t.same(renamed(text), { text, names: [] });
  const two = '{"auths":{"old.test":{"auth":"a"},"https://old.test":{"auth":"a"}}}';
  t.equal(renamed(two).text, '{"auths":{"new.test":{"auth":"a"},"https://old.test":{"auth":"a"}}}');
});

test('what is no JSON is a fault, whose text repeats nothing of it', async (t) => {
  try {
    renamed('{"auths":{"old.test":{"auth":"c2VjcmV0"}');
    t.fail('it was read');
  } catch (error) {
    t.type(error, MigrationFault);
    t.notMatch(String(error), /c2VjcmV0/);
  }
});

test('a byte order mark, and what has no logins, are left alone', async (t) => {
  t.throws(() => renamed('\ufeff{"auths":{}}'), MigrationFault);
  for (const text of ['{}', '{"auths":null}', '{"auths":["old.test"]}', '[]'])
    t.equal(renamed(text).text, text);
});

test('a name that is written twice is a fault: which login counts would change', async (t) => {
  const text = '{"auths":{"old.test":{"auth":"a"},"old.test":{"auth":"b"}}}';
  t.throws(() => renamed(text), { message: /names old\.test twice: remove one of them/ });
  const other = '{"auths":{"b.test":{"auth":"a"},"b.test":{"auth":"b"}}}';
  t.equal(renamed(other).text, other);
});
