import { test } from 'tap';
import { BlobQuestions, type OwnedBlobAsk } from '../../src/fleet/blob-questions.ts';
import { Members } from '../../src/fleet/members/members.ts';
import type { MemberClient } from '../../src/fleet/protocol/member-client.ts';
import { MemberFailed } from '../../src/fleet/protocol/proven-get.ts';
import { createManualClock } from '../support/manual-clock.ts';

const ask = { kind: 'blob', upstream: 'quay.io', repository: 'team/app' } as OwnedBlobAsk;

/** Asks a member `b:1`, whose first process gives no answer before a test does. */
function asker() {
  const clock = createManualClock();
  const members = new Members({ self: 'a:1', clock });
  members.listed(['a:1', 'b:1']);
  members.came('b:1', 'the first process');
  const answer = Promise.withResolvers<never>();
  const client: Pick<MemberClient, 'ask' | 'isAnswering' | 'liveness'> = {
    ask: () => answer.promise,
    isAnswering: () => true,
    liveness: async () => 'idle',
  };
  return {
    ...{ clock, members, fail: answer.reject },
    questions: new BlobQuestions({ members, client: client as MemberClient, clock }),
  };
}

test('what a process did not say in time is not held against the next one', async (t) => {
  const { clock, members, questions } = asker();
  const outcome = questions.atHand('b:1', ask, {});
  await clock.pass(1_000);
  members.came('b:1', 'the second process');
  await clock.pass(1_500);
  t.same(await outcome, { kind: 'go-on' });
  t.notOk(members.isHung('b:1'));
});

test('a question to a process that fails after the next one came leaves that one be', async (t) => {
  const { members, fail, questions } = asker();
  const outcome = questions.said('b:1', ask, {});
  members.came('b:1', 'the second process');
  fail(new MemberFailed('b:1 gave no sign of life', 'dead'));
  t.same(await outcome, { kind: 'go-on' });
  t.same(members.live, ['a:1', 'b:1']);
});

test('a member that hangs is not asked again because it missed a ping', async (t) => {
  const { clock, members } = asker();
  members.hung('b:1');
  for (let round = 0; round < 10; round += 1) {
    members.gone('b:1');
    await clock.pass(500);
    members.came('b:1', 'the first process');
    await clock.pass(2_000);
    t.ok(members.isHung('b:1'));
  }
});
