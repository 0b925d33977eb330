import { test } from 'tap';
import {
  differences,
  inForce,
  isReloadable,
  type Reload,
  reloadable,
  reloading,
} from '../../src/app/reload.ts';
import { Expression } from '../../src/base/text/expression.ts';
import { field, fieldsOf } from '../../src/base/text/json.ts';
import { type Config, load } from '../../src/config/load.ts';
import { publishedSchema } from '../../src/config/schema/published.ts';
import { until } from '../support/bodies.ts';

const start = 'hosts: { a.example: {}, b.example: {} }';

interface Stage {
  /** Reads this text as the configuration. */
  reread(text: string): Promise<void>;
  readonly applied: Config[];
  /** What was told of settings that wait, and of refusals. */
  readonly waiting: (readonly unknown[])[];
  /** Configurations are refused with this error, or not any more. */
  refuse(error: Error | undefined): void;
  /** Level, message, and settings or number of faults. */
  readonly log: (readonly [string, string, unknown])[];
}

function stage(): Stage {
  let text = start;
  let refusal: Error | undefined;
  const applied: Config[] = [];
  const waiting: (readonly unknown[])[] = [];
  const log: (readonly [string, string, unknown])[] = [];
  const line = (level: string) => (fields: object, message?: string) => {
    log.push([level, message ?? '', Reflect.get(fields, 'settings') ?? Reflect.get(fields, 'faults')]);
  };
  const reload: Reload = reloading({
    started: load(start, {}),
    read: async () => load(text, {}, { fileName: 'q.yaml' }),
    async apply(config) {
      if (refusal !== undefined) throw refusal;
      applied.push(config);
    },
    pending: (settings, refused) => void (refused !== undefined && waiting.push([settings, refused])),
    againMs: 20,
    log: { info: line('info'), warn: line('warn') },
  });
  return {
    applied,
    log,
    waiting,
    refuse: (error) => {
      refusal = error;
    },
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

test('what decides about requests, rights, upstreams and copies is taken over', (t) => {
  for (const path of [
    ['hosts', 'new.example'],
    ['hosts', 'a.example', 'auth'],
    ['upstreams', 'quay.io', 'credentials', 'authFile'],
    ['clusters', 'app.ci', 'streams', 'trusted'],
    ['rules'],
    ['limits', 'read', 'maxRunning'],
    ['eviction', 'pins'],
    ['mirror'],
    ['mirror', 'misses', 'onMiss'],
    ['trustedProxies'],
  ])
    t.ok(isReloadable(path), path.join('.'));
  for (const path of [['mirror', 'listen'], ['log'], ['log', 'qciAppci'], ['store'], ['tls', 'certFile']])
    t.notOk(isReloadable(path), path.join('.'));
  t.end();
});

/** The settings below a schema of objects, to a depth of two. */
function settingsIn(schema: unknown, depth = 2): string[][] {
  return Object.entries(fieldsOf(field(schema, 'properties'))).flatMap(([name, inner]) => {
    const within = depth === 1 ? [] : settingsIn(inner, depth - 1);
    return within.length === 0 ? [[name]] : within.map((path) => [name, ...path]);
  });
}

test('of every setting it is decided whether a change takes a restart', (t) => {
  const places = settingsIn(publishedSchema()).map((path) => path.join('.'));
  const restart = places.filter((place) => !isReloadable(place.split('.')));
  t.same(
    restart.filter((place) => !/^(?:admin|conditions|fleet|memory|spool|store|tls)\./.test(place)),
    [
      ...['listen', 'log.qciAppci', 'tracing.trustedParents', 'tracing.upstreams'],
      ...['workers', 'shutdownDelayMs', 'shutdownGraceMs', 'sendfile', 'mirror.listen'],
    ],
  );
  for (const place of reloadable)
    t.ok(
      places.some((each) => each === place.join('.') || each.startsWith(`${place.join('.')}.`)),
      place.join('.'),
    );
  t.end();
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

test('what waits for a restart is named, each time, and the rest is taken over', async (t) => {
  const { reread, applied, log } = stage();
  const changed = 'hosts: { a.example: {}, c.example: { blobs: bypass } }\nlisten: 127.0.0.1:1';
  await reread(changed);
  await reread(changed);
  t.equal(applied.length, 1);
  t.same(Object.keys(applied[0]?.hosts ?? {}), ['a.example', 'c.example']);
  t.equal(applied[0]?.listen, load(start, {}).listen, 'as the server listens');
  t.same(
    log.map(([level]) => level),
    ['info', 'warn', 'info', 'warn'],
  );
  for (const [, , settings] of log.filter(([level]) => level === 'warn')) t.same(settings, ['listen']);
  t.same(new Set(log[0]?.[2] as string[]), new Set(['hosts["b.example"]', 'hosts["c.example"]']));
});

test('a section that waits for a restart stays with the cluster that it names', (t) => {
  const started = load('clusters: { app.ci: {} }\nadmin: { cluster: app.ci }', {});
  const { clusters, admin } = inForce(started, load('', {}));
  t.equal(admin.cluster, 'app.ci');
  t.same(clusters, started.clusters);
  t.end();
});

test('a configuration that cannot be taken over changes nothing, and is read again', async (t) => {
  const { reread, applied, log, refuse, waiting } = stage();
  refuse(new Error('the cluster has no address'));
  const changed = 'hosts: { a.example: { auth: none } }';
  await reread(changed);
  t.same(applied, []);
  t.match(log, [['warn', 'cannot reload the configuration; the previous one stays in force', undefined]]);
  t.same(waiting, [[[], 'the cluster has no address']]);
  await reread(changed);
  t.equal(log.length, 1, 'the same complaint is logged once');
  refuse(undefined);
  await until(() => applied.length === 1, 'another try by itself');
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
  t.end();
});

test('the mirror comes and goes, and its address waits for a restart', (t) => {
  const [without, bare] = [load('', {}), load('mirror: {}', {})];
  const shown = load('mirror: { listen: 127.0.0.1:1 }', {});
  t.notOk(inForce(without, shown).mirror?.listen, 'it shows nowhere yet');
  t.ok(inForce(without, shown).mirror);
  t.equal(inForce(shown, without).mirror, undefined);
  t.equal(inForce(shown, bare).mirror?.listen, '127.0.0.1:1');
  t.end();
});

test('an address of a mirror that comes is named, and a mirror without one is not', async (t) => {
  const { reread, log, applied } = stage();
  await reread(`${start}\nmirror: {}`);
  await reread(`${start}\nmirror: { listen: 127.0.0.1:1 }`);
  await reread(start);
  t.same(
    log.map(([level, , settings]) => [level, settings]),
    [
      ['info', ['mirror']],
      ['info', []],
      ['warn', ['mirror.listen']],
      ['info', ['mirror']],
    ],
  );
  t.same(
    applied.map(({ mirror }) => mirror === undefined),
    [false, true],
  );
});
