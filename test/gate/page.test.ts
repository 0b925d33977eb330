import { test } from 'tap';
import { drills } from '../../src/drill/table/table.ts';
import { gatePage, withAllLayers } from './page.ts';

const passed = { name: 'drill', isPassed: true, tookMs: 61_000, said: ['31 drills'] } as const;
const failed = { name: 'fuzz', isPassed: false, tookMs: 1_000, said: ['a lost slot'] } as const;
const at = '2026-01-01T10:00:00.000Z';

test('the page of the release gate has its verdict on top, and the drill below', (t) => {
  const page = gatePage([passed], '# Drill: passed\n', at);
  t.match(page, /^# Release gate: passed\n/);
  t.match(page, /^\| drill \| passed \| 61 s \| 31 drills \|$/m);
  t.match(page, /^## Drill: passed$/m);
  t.end();
});

test('one part that fails fails the gate, and its words are there', (t) => {
  const page = gatePage([passed, failed], '', at);
  t.match(page, /^# Release gate: failed\n/);
  t.match(page, /^a lost slot$/m);
  t.end();
});

test('a drill in which a layer was not played fails the gate, and names it', (t) => {
  const all = drills.map(({ layer }) => ({ layer }));
  t.same(withAllLayers(passed, all), passed);
  const lacking = all.map((each) => (each.layer === 's3' ? { ...each, skipped: 'no S3 server' } : each));
  const step = withAllLayers(passed, lacking);
  t.notOk(step.isPassed);
  t.match(step.said.at(-1), /^No drill was played of: s3\./);
  t.match(withAllLayers(passed, []).said.at(-1), /upstream, s3, cluster, disk, process, clock, network/);
  t.end();
});
