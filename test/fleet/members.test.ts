import { test } from 'tap';
import { Heartbeat } from '../../src/fleet/members/heartbeat.ts';
import { Members } from '../../src/fleet/members/members.ts';

test('replicas that the list names twice count once, and the fleet settles', async (t) => {
  const changes: (readonly string[])[] = [];
  const members = new Members({ self: '0.0.0.0:8402', changed: (live) => changes.push(live) });
  const instances = new Map([
    ['10.0.0.1:8402', 'a'],
    ['[fd00::1]:8402', 'a'],
    ['10.0.0.2:8402', 'b'],
    ['[fd00::2]:8402', 'b'],
  ]);
  const heartbeat = new Heartbeat({
    isAnswering: () => false,
    members,
    instance: 'a',
    ping: async (member) => ({ instance: instances.get(member) ?? '', isLeaving: false }),
  });
  for (let look = 0; look < 6; look += 1) {
    members.listed([...instances.keys()]);
    await heartbeat.once();
  }
  t.equal(members.self, '10.0.0.1:8402');
  t.same(members.live, ['10.0.0.1:8402', '10.0.0.2:8402']);
  t.ok(changes.length <= 5, `the members changed ${changes.length} times in six looks`);
});

test('a process counts itself by the name that others know, whatever the list says', async (t) => {
  const members = new Members({ self: '0.0.0.0:8402' });
  members.listed(['10.0.0.1:8402']);
  members.known('10.0.0.1:8402');
  members.listed(['10.0.0.2:8402']);
  t.same(members.live, ['10.0.0.1:8402', '10.0.0.2:8402']);
});

test('a member is left alone for 2 s after a failure, and until it answers when it is gone', async (t) => {
  let time = 0;
  const clock = { now: () => time, setTimeout: () => t.fail('no timer') as never };
  const members = new Members({ self: 'a:1', clock });
  members.listed(['a:1', 'b:1']);
  members.failed('b:1');
  t.same(members.live, ['a:1']);
  time = 2_000;
  t.same(members.live, ['a:1', 'b:1']);
  members.gone('b:1');
  members.failed('b:1');
  time = 60_000;
  t.same(members.live, ['a:1']);
  members.came('b:1', 'b');
  t.same(members.live, ['a:1', 'b:1']);
  members.gone('somebody:1');
  members.listed(['a:1', 'b:1', 'somebody:1']);
  t.equal(members.live.length, 3, 'what is told of one that no list names is not kept');
});

test('a member that was restarted within those 2 s is asked as soon as the new process answers', (t) => {
  let time = 0;
  const clock = { now: () => time, setTimeout: () => t.fail('no timer') as never };
  const members = new Members({ self: 'a:1', clock });
  members.listed(['a:1', 'b:1']);
  members.came('b:1', 'the first process');
  time = 1_000;
  members.failed('b:1');
  members.hung('b:1');
  t.notOk(members.came('b:1', 'the first process'), 'who answers pings alone is no use');
  t.same(members.live, ['a:1']);
  t.ok(members.isHung('b:1'));
  t.ok(members.came('b:1', 'the second process'));
  t.same(members.live, ['a:1', 'b:1']);
  t.notOk(members.isHung('b:1'));
  t.end();
});

test('a member that is leaving owns nothing, unless it is alone', async (t) => {
  const members = new Members({ self: 'a:1' });
  members.listed(['a:1', 'b:1']);
  members.leave();
  const keys = Array.from({ length: 20 }, (_, index) => members.ranked(`key ${index}`));
  t.same(new Set(keys.flat()), new Set(['b:1']));
  members.gone('b:1');
  t.same(members.ranked('key'), ['a:1']);
});

test('who is leaving, or is listed no more, may be asked for what it has until it fails', async (t) => {
  let time = 0;
  const clock = { now: () => time, setTimeout: () => t.fail('no timer') as never };
  const members = new Members({ self: 'a:1', clock });
  members.listed(['a:1', 'b:1', 'c:1', 'd:1']);
  members.leaves('b:1');
  members.gone('d:1');
  t.same(members.leaving, ['b:1']);
  t.same(members.live, ['a:1', 'c:1']);
  members.listed(['a:1']);
  t.same(members.leaving, ['b:1', 'c:1'], 'but not who answered no ping');
  t.same(members.live, ['a:1']);
  members.failed('c:1', 'the process that was asked while the list named it');
  t.same(members.leaving, ['b:1']);
  members.leaves('somebody:1');
  members.listed(['a:1', 'b:1']);
  members.came('b:1', 'another process');
  t.same(members.leaving, []);
  members.leaves('b:1');
  time = 300_000;
  t.same(members.leaving, [], 'for five minutes at most');
});

test('a member that came before it knows its name is found among all that are listed', async (t) => {
  const members = new Members({ self: 'a:1' });
  const pinged: string[] = [];
  const heartbeat = new Heartbeat({
    isAnswering: () => false,
    members,
    instance: 'a',
    ping: async (member) => {
      pinged.push(member);
      return { instance: member, isLeaving: false };
    },
  });
  members.listed(['a:1', 'b:1', 'c:1']);
  heartbeat.look('b:1');
  t.same(pinged, ['b:1']);
  await heartbeat.once();
  pinged.length = 0;
  heartbeat.look('0.0.0.0:1');
  t.same(pinged, ['b:1', 'c:1']);
});
