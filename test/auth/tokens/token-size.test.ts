import { decodeJwt } from 'jose';
import { test } from 'tap';
import { requestedScopes } from '../../../src/auth/scope.ts';
import { createKeptSubjects } from '../../../src/auth/tokens/kept-subjects.ts';
import { createTokens } from '../../../src/auth/tokens/token.ts';
import { parseTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const groups = Array.from({ length: 2000 }, (_, index) => `team-with-a-long-name-${index}`);
const crowd = {
  name: 'somebody',
  groups,
  extra: { 'scopes.authorization.openshift.io': ['user:full'] },
  cluster: 'app.ci',
};
const keys = parseTokenKeys(['a'.repeat(32)]);
const audience = 'quay-proxy.ci.openshift.org';
const sixKilobytes = 6 * 1024;

function replica(records = createMemoryStore().records) {
  const subjects = createKeptSubjects({ records });
  return { records, subjects, mine: createTokens({ keys: () => keys, audience, subjects }) };
}

test('2,000 groups make a token of less than 6 KB, and a second replica knows them all', async (t) => {
  const first = replica();
  const { token } = await first.mine.issue(crowd, []);
  t.ok(token.length < sixKilobytes, `${token.length} bytes`);
  const verdict = await replica(first.records).mine.verify(token);
  t.same('subject' in verdict && new Set(verdict.subject.groups), new Set(groups));
  t.match(verdict, { subject: { name: 'somebody', cluster: 'app.ci', extra: crowd.extra } });
});

test('whatever is asked for, with a subject of whatever size, a token stays below 6 KB', async (t) => {
  const { mine } = replica();
  const names = Array.from(
    { length: 100 },
    (_, index) => `repository:${'long'.repeat(index % 60)}/n${index}:pull`,
  );
  const scopes = (requestedScopes(names) ?? []).map((name) => ({ name, isGranted: true }));
  t.ok(scopes.length > 10);
  for (const count of [0, 1, 50, 90, 100, 110, 120, 150, 2000]) {
    const subject = { ...crowd, name: 'ü'.repeat(250), groups: groups.slice(0, count) };
    for (const asked of [[], scopes]) {
      const { token } = await mine.issue(subject, asked);
      t.ok(token.length < sixKilobytes, `${count} groups, ${asked.length} scopes: ${token.length} bytes`);
      t.match(await mine.verify(token), { subject: { name: subject.name } });
    }
  }
});

test('a small subject is in its token, and costs no record', async (t) => {
  const { mine, records } = replica();
  const { token } = await mine.issue({ ...crowd, groups: ['a'] }, []);
  t.match(decodeJwt(token), { subject: { groups: ['a'] }, subjectId: undefined });
  t.same(await Array.fromAsync(records.list('v1/')), []);
});

test('a replica that cannot read the subject says so, and one that was swept has to log in', async (t) => {
  const { mine, records, subjects } = replica();
  const { token } = await mine.issue(crowd, []);
  const down = async (): Promise<never> => {
    throw new RegistryError('UNAVAILABLE', 'down');
  };
  const cut = replica({ ...records, get: down });
  await t.rejects(async () => cut.mine.verify(token), { code: 'UNAVAILABLE' });
  await subjects.sweep(-1);
  t.same(await replica(records).mine.verify(token), { refused: 'expired' });
});

test('equal subjects are one object, through any number of tokens', async (t) => {
  const { mine } = replica();
  const seen = new Set<unknown>();
  for (const shown of [crowd, { ...crowd, groups: groups.toReversed() }]) {
    for (const { token } of [await mine.issue(shown, []), await mine.issue(shown, [])]) {
      const verdict = await mine.verify(token);
      seen.add('subject' in verdict && verdict.subject);
    }
  }
  t.equal(seen.size, 1);
  t.ok([...seen].every((subject) => Object.isFrozen(subject)));
  const other = await mine.verify((await mine.issue({ ...crowd, cluster: 'build01' }, [])).token);
  t.notOk('subject' in other && seen.has(other.subject));
});
