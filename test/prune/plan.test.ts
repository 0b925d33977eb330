import { test } from 'tap';
import { parseTag } from '../../src/oci/reference.ts';
import { type Deletion, inDeletionOrder } from '../../src/prune/plan.ts';
import { judged, type TagReading } from '../../src/prune/protection.ts';
import { splitByTime } from '../../src/prune/tag-ranges.ts';
import { classOf, firstUnexpired, isExpired } from '../../src/prune/tag-rules.ts';
import { digestFor, numbers } from './memory-place.ts';

test('whatever the references, no digest that is needed loses its last tag that is seen', (t) => {
  const next = numbers(4);
  const images = ['A', 'B', 'C'].map(digestFor);
  const any = (): TagReading => {
    const at = next(5);
    return at === 3 ? 'gone' : at === 4 ? { unread: '503' } : (images[at] ?? 'gone');
  };
  let deleted = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const needed = images[next(4)];
    const needs = {
      inSync: next(5) > 0,
      namedBy: (digest: string) => (digest === needed ? 'ns/a:b' : undefined),
    };
    const [now, floatNow] = [any(), any()];
    const hasFloat = next(3) > 0;
    const heldFor = next(4) === 0 ? 'float' : undefined;
    const verdict = judged(
      {
        ...{ tag: parseTag('tag'), reason: 'old', now },
        ...(hasFloat ? { float: { tag: parseTag('float'), now: floatNow } } : {}),
        ...(heldFor === undefined ? {} : { heldFor }),
      },
      needs,
    );
    if (verdict === 'gone' || 'kept' in verdict) continue;
    deleted += 1;
    const isLast = !(hasFloat && floatNow === now);
    const isSafe = heldFor === undefined && (!isLast || (needs.inSync && now !== needed));
    if (!isSafe || verdict.digest !== now)
      t.fail(JSON.stringify({ now, floatNow, needed, heldFor, verdict }));
  }
  t.ok(deleted > 1_000);
  t.end();
});

test('most bytes come first, and nothing before what it comes after', (t) => {
  const next = numbers(7);
  for (let round = 0; round < 500; round += 1) {
    const count = 1 + next(12);
    const deletions: Deletion[] = Array.from({ length: count }, (_, index) => ({
      ...{ id: `d${index}`, reason: '', digest: digestFor(`${index}`), bytes: next(100) },
      after: Array.from({ length: next(3) }, () => `d${next(count + 1)}`),
    }));
    const sorted = inDeletionOrder(deletions);
    const seen = new Set<string>();
    for (const { id, after } of sorted) {
      if (!after.every((before) => seen.has(before))) t.fail(`${id} comes before one of ${after}`);
      seen.add(id);
    }
    const free = sorted.filter(({ after }) => after.length === 0).map(({ bytes = 0 }) => bytes);
    t.same(
      free,
      free.toSorted((one, other) => other - one),
    );
  }
  t.end();
});

test('names of tags have their class, a component before a payload', (t) => {
  t.match(classOf('20261120010203_prune_ocp_4.20_cli'), {
    kind: 'kept',
    at: Date.parse('2026-11-20T01:02:03Z'),
    of: 'ocp_4.20_cli',
  });
  t.match(classOf('20261120010203_prune___ci_images_mirror__ci_x_latest'), { of: 'ci_x_latest' });
  t.match(classOf('20261120010203_prune_ocp_4.20_cli_broken'), { of: 'ocp_4.20_cli' });
  t.match(classOf('rc_payload__4.20.0__component__cli'), {
    ...{ kind: 'component', version: '4.20.0', component: 'cli' },
  });
  t.match(classOf('rc_payload__4.20.0'), { kind: 'payload', version: '4.20.0' });
  t.match(classOf('preserved__rc_payload__4.20.0'), { kind: 'marker', version: '4.20.0' });
  t.match(classOf('remove__rc_payload__4.20.0'), { kind: 'request', version: '4.20.0' });
  for (const other of [
    ...['20241399000000_prune_x', '20240230000000_prune_x', '2024_prune_x', '20241101000000_prune_'],
    ...['x20241101000000_prune_x', 'rc_payload__', 'latest', '202411010000001_prune_x'],
  ])
    t.same(classOf(other), { kind: 'other' }, other);
  t.end();
});

test('the listing ends before the first tag that is too young', (t) => {
  const now = Date.parse('2026-11-29T12:00:00Z');
  t.equal(firstUnexpired(now, 5), '20261123120001');
  t.ok(isExpired(Date.parse('2026-11-23T12:00:00Z'), now, 5));
  t.notOk(isExpired(Date.parse('2026-11-23T12:00:01Z'), now, 5));
  t.ok(isExpired(now, now, -1));
  t.notOk(isExpired(now + 1, now, -1), 'a time to come');
  t.end();
});

test('parts of a range meet, and miss nothing', (t) => {
  const parts = splitByTime({ after: '20260101000000_prune_a', until: '20261129000000' }, 4);
  t.equal(parts.length, 4);
  t.equal(parts[0]?.after, '20260101000000_prune_a');
  t.equal(parts.at(-1)?.until, '20261129000000');
  for (const [index, { until }] of parts.slice(0, -1).entries()) t.equal(parts[index + 1]?.after, until);
  t.same(splitByTime({ after: '1', until: '20261129000000' }, 4), [{ after: '1', until: '20261129000000' }]);
  t.end();
});
