import { test } from 'tap';
import { differences, isReloadable, type Reload, reloading } from '../../src/app/reload.ts';
import { Expression } from '../../src/base/text/expression.ts';
import { type Config, load } from '../../src/config/load.ts';

const start = 'hosts: { a.example: {}, b.example: {} }';

interface Stage {
  /** Reads this text as the configuration. */
  reread(text: string): Promise<void>;
  readonly applied: Config[];
  /** Level, message, and settings or number of faults. */
  readonly log: (readonly [string, string, unknown])[];
}

function stage(): Stage {
  let text = start;
  const applied: Config[] = [];
  const log: (readonly [string, string, unknown])[] = [];
  const line = (level: string) => (fields: object, message?: string) => {
    log.push([level, message ?? '', Reflect.get(fields, 'settings') ?? Reflect.get(fields, 'faults')]);
  };
  const reload: Reload = reloading({
    started: load(start, {}),
    read: async () => load(text, {}, { fileName: 'q.yaml' }),
    apply: (config) => applied.push(config),
    log: { info: line('info'), warn: line('warn') },
  });
  return {
    applied,
    log,
    reread(changed) {
      text = changed;
      return reload();
    },
  };
}

const wasRead = 'configuration reloaded';

test('how the blobs of a host go out is taken over, there and back', async (t) => {
  const { reread, applied, log } = stage();
  await reread('hosts: { a.example: { blobs: bypass }, b.example: {} }');
  await reread(start);
  t.same(
    applied.map(({ hosts }) => hosts['a.example']?.blobs),
    ['bypass', undefined],
  );
  t.same(log, Array(2).fill(['info', wasRead, ['hosts["a.example"].blobs']]));
});

test('the trusted namespaces of a cluster are taken over, and no other setting of its streams', async (t) => {
  const { reread, applied, log } = stage();
  t.ok(isReloadable(['clusters', 'app.ci', 'streams', 'trusted']));
  for (const path of [['clusters'], ['clusters', 'app.ci'], ['clusters', 'app.ci', 'streams']])
    t.notOk(isReloadable(path));
  t.notOk(isReloadable(['clusters', 'app.ci', 'streams', 'staleMs']));
  t.notOk(isReloadable(['clusters', 'app.ci', 'streams', 'trusted', 0]));
  await reread(start);
  t.same([applied, log.length], [[], 1]);
});

test('the level of the log is taken over', async (t) => {
  const { reread, applied, log } = stage();
  await reread(`${start}\nlog: { level: debug }`);
  t.same(
    applied.map((config) => config.log.level),
    ['debug'],
  );
  t.same(log, [['info', wasRead, ['log.level']]]);
});

test('what waits for a restart is named, each time', async (t) => {
  const { reread, applied, log } = stage();
  const changed = 'hosts: { a.example: {}, c.example: { blobs: bypass } }\nlisten: 127.0.0.1:1';
  await reread(changed);
  await reread(changed);
  t.same(applied, []);
  t.same(
    log.map(([level]) => level),
    ['info', 'warn', 'info', 'warn'],
  );
  const waiting = new Set(['listen', 'hosts["b.example"]', 'hosts["c.example"]']);
  for (const [, , settings] of log.filter(([level]) => level === 'warn'))
    t.same(new Set(Array.isArray(settings) ? settings : []), waiting);
});

test('a faulty configuration changes nothing, and each fault is told with its line', async (t) => {
  const { reread, applied, log } = stage();
  await reread('listen: nowhere\nhosts: { a.example: { blobs: maybe } }');
  t.same(applied, []);
  t.match(log, [['warn', 'cannot reload the configuration; the previous one stays in force', { length: 2 }]]);
  t.match(log[0]?.[2], [/^q\.yaml:1: listen: /, /^q\.yaml:2: hosts\["a\.example"\]\.blobs: /]);
  await reread('hosts: { a.example: { blobs: serve }, b.example: {} }');
  t.equal(applied.length, 1, 'the next sound one is taken');
});

test('the same configuration is no change', async (t) => {
  const { reread, applied, log } = stage();
  await reread(`${start}\n# a comment`);
  t.same(applied, []);
  t.same(log, [['info', wasRead, []]]);
});

test('differences are as deep as both sides have something', (t) => {
  t.same(
    differences(
      { a: { b: 1, c: [1] }, d: Expression.whole('x') },
      { a: { b: 2, c: [1, 2] }, d: Expression.whole('y'), e: {} },
    ),
    [['a', 'b'], ['a', 'c'], ['d'], ['e']],
  );
  t.notOk(isReloadable(['hosts', 'new.example']));
  t.ok(isReloadable(['hosts', 'a.example', 'blobs']));
  t.notOk(isReloadable(['hosts', 'a.example', 'auth']));
  t.end();
});
