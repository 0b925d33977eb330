import { test } from 'tap';
import { imagePattern } from '../../../src/base/text/image-pattern.ts';
import type { UpstreamCredential } from '../../../src/upstream/credential.ts';
import type { HelperAnswer, HelperQuestion } from '../../../src/upstream/helpers/answer.ts';
import { RememberedHelper } from '../../../src/upstream/helpers/remembered.ts';

interface Part {
  readonly scope?: HelperAnswer['scope'];
  readonly keepMs?: number;
}

/** A helper whose n-th answer has the password n, and a clock that is turned. */
function rig({ scope = 'Registry', keepMs = 1_000 }: Part = {}) {
  const asked: HelperQuestion[] = [];
  const state = { now: 0, failure: undefined as Error | undefined };
  const helper = new RememberedHelper(
    {
      name: 'tool',
      async ask(question) {
        asked.push(question);
        if (state.failure !== undefined) throw state.failure;
        const credential = { username: 'u', password: String(asked.length) };
        return { scope, keepMs, logins: [{ credential }] };
      },
    },
    () => state.now,
  );
  const find = (repository = 'a', registry = 'r.test') => helper.find({ registry, repository });
  return { helper, asked, state, find };
}

function passwordOf(credential: UpstreamCredential | undefined): string | undefined {
  return credential !== undefined && 'password' in credential ? credential.password : undefined;
}

test('an answer is kept for its life, for all who ask at once and after', async (t) => {
  const { asked, state, find } = rig();
  const found = await Promise.all([find(), find('b'), find('c')]);
  t.same(found.map(passwordOf), ['1', '1', '1']);
  state.now = 799;
  t.equal(passwordOf(await find()), '1');
  t.equal(asked.length, 1);
});

test('an old answer is renewed behind those who use it', async (t) => {
  const { asked, state, find } = rig();
  await find();
  state.now = 800;
  t.equal(passwordOf(await find()), '1');
  await new Promise(setImmediate);
  t.equal(passwordOf(await find()), '2');
  t.equal(asked.length, 2);
});

test('while a renewal fails the old answer counts to its end, and the failure after that', async (t) => {
  const { asked, state, find } = rig();
  await find();
  state.failure = new Error('no network');
  state.now = 900;
  t.equal(passwordOf(await find()), '1');
  await new Promise(setImmediate);
  state.now = 1_000;
  await t.rejects(find(), { message: 'no network' });
  t.equal(asked.length, 2, 'within 5 s it is not asked again');
});

test('a failure is shared for 5 s', async (t) => {
  const { asked, state, find } = rig();
  state.failure = new Error('no network');
  await t.rejects(Promise.all([find(), find('b')]));
  state.now = 4_999;
  await t.rejects(find());
  t.equal(asked.length, 1);
  state.failure = undefined;
  state.now = 5_000;
  t.equal(passwordOf(await find()), '2');
});

test('an answer counts for its image, its registry, or everything', async (t) => {
  for (const [scope, runs] of [
    ['Image', 3],
    ['Registry', 2],
    ['Global', 1],
  ] as const) {
    const { asked, find } = rig({ scope });
    await find('a');
    await Promise.all([find('b'), find('a', 'other.test')]);
    await find('b');
    t.equal(asked.length, runs, scope);
  }
});

test('an answer without a life is used once', async (t) => {
  const { asked, find } = rig({ keepMs: 0 });
  await find();
  await find();
  t.equal(asked.length, 2);
});

test('a refused answer is dropped once in 30 s, and the next one asked for', async (t) => {
  const { helper, asked, state, find } = rig({ keepMs: 3_600_000 });
  const first = await find();
  t.ok(first && helper.refused(first));
  const second = await find();
  t.equal(passwordOf(second), '2');
  t.notOk(second && helper.refused(second), 'the registry refuses whatever it says');
  t.equal(passwordOf(await find()), '2');
  state.now = 30_000;
  t.ok(second && helper.refused(second));
  t.equal(passwordOf(await find()), '3');
  t.equal(asked.length, 3);
});

test('a late refusal of an answer that was replaced drops nothing', async (t) => {
  const { helper, asked, find } = rig({ keepMs: 3_600_000 });
  const first = await find();
  t.ok(first && helper.refused(first));
  await find();
  t.ok(first && helper.refused(first), 'another one is there');
  t.equal(passwordOf(await find()), '2');
  t.equal(asked.length, 2);
  t.notOk(helper.refused({ username: 'u', password: '1' }), 'that of a file is not its own');
});

test('of several logins in an answer the first that fits the image counts', async (t) => {
  const login = (text: string) => ({
    images: imagePattern(text),
    credential: { username: text, password: 'p' },
  });
  const logins = [login('r.test/team'), login('r.test')];
  const ask = async () => ({ scope: 'Registry' as const, keepMs: 1_000, logins });
  const helper = new RememberedHelper({ name: 'tool', ask }, () => 0);
  const nameOf = async (repository: string) =>
    (await helper.find({ registry: 'r.test', repository }))?.username;
  t.equal(await nameOf('team/app'), 'r.test/team');
  t.equal(await nameOf('other'), 'r.test');
});
