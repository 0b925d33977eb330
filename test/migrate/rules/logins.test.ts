import { test } from 'tap';
import {
  changedLogins,
  type LoginChange,
  loginFiles,
  MigrationFault,
  namedLogins,
} from '../../../src/migrate/rules/logins.ts';
import { parsePlaceRule } from '../../../src/migrate/rules/place-rules.ts';
import { createReferenceRules } from '../../../src/migrate/rules/rules.ts';

const words = ['old.test/*=new.test/*', '*/team/*=new.test/team/*'];
const base64 = (text: string) => Buffer.from(text).toString('base64');

function renamed(
  text: string,
  type = 'kubernetes.io/dockerconfigjson',
  logins: LoginChange = { kind: 'rename' },
) {
  const rules = createReferenceRules(words.map(parsePlaceRule), logins);
  const file = loginFiles[type];
  if (file === undefined) throw new Error(type);
  const { data, names } = changedLogins(base64(text), file, rules);
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

test('kept, a login stands under both names, and a second run finds nothing left', async (t) => {
  const text = '{\n  "auths": { "b.test":{}, "https://old.test/v1/" : {"auth":"a", "x":1} }}';
  const once = renamed(text, undefined, { kind: 'copy' });
  t.equal(
    once.text,
    '{\n  "auths": { "b.test":{}, "new.test":{"auth":"a","x":1},"https://old.test/v1/" : {"auth":"a", "x":1} }}',
  );
  t.same(once.names, [['https://old.test/v1/', 'https://old.test/v1/ and new.test']]);
  t.same(renamed(once.text, undefined, { kind: 'copy' }), { text: once.text, names: [] });
});

test('kept, a login leaves alone another one that the new place has', async (t) => {
  const text = '{"auths":{"old.test":{"auth":"a"},"new.test":{"auth":"b"}}}';
  t.same(renamed(text, undefined, { kind: 'copy' }), { text, names: [] });
});

test('added, the new place gets the login of the file, in secrets that have one for the old place', async (t) => {
  const logins = namedLogins(
    '{"auths":{"new.test/team":{"auth":"n"},"other.test":{"auth":"o"},"helper.test":{}}}',
  );
  t.same([...logins.keys()], ['new.test/team', 'other.test']);
  const add = { kind: 'add', logins } as const;
  const text = '{"auths":{"old.test/team":{"auth":"a"},"b.test":{"auth":"b"}}}';
  const once = renamed(text, undefined, add);
  t.equal(
    once.text,
    '{"auths":{"new.test/team":{"auth":"n"},"old.test/team":{"auth":"a"},"b.test":{"auth":"b"}}}',
  );
  t.same(renamed(once.text, undefined, add), { text: once.text, names: [] });
  const unconcerned = '{"auths":{"c.test/app":{"auth":"a"}}}';
  t.equal(renamed(unconcerned, undefined, add).text, unconcerned);
});
