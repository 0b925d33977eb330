import { test } from 'tap';
import { MetricsPage, quantileSince } from '../../../src/app/console/metrics-page.ts';

const page = new MetricsPage(`# HELP quayside_x_total Things.
# TYPE quayside_x_total counter
quayside_x_total{kind="a",name="say \\"so\\", {twice}"} 3
quayside_x_total{kind="b",name="other"} 4
quayside_x_total{kind="c",name="a\\\\nb\\nc"} 0
quayside_y 1.5e3
quayside_z NaN
nodejs_other 7
`);

test('numbers of a page are summed over all, by a label, or with given labels', (t) => {
  t.equal(page.sum('quayside_x_total'), 7);
  t.equal(page.sum('quayside_x_total', { kind: 'b' }), 4);
  t.equal(page.sum('quayside_x_total', { name: 'say "so", {twice}' }), 3);
  t.same(page.by('quayside_x_total', 'kind'), { a: 3, b: 4, c: 0 });
  t.ok('a\\nb\nc' in page.by('quayside_x_total', 'name'));
  t.equal(page.value('quayside_y'), 1500);
  t.end();
});

test('what is not told, or is no number, is absent', (t) => {
  t.equal(page.value('quayside_z'), undefined);
  t.equal(page.sum('quayside_z'), 0);
  t.equal(page.value('nodejs_other'), undefined, 'not ours');
  t.equal(page.sum('quayside_missing'), 0);
  t.end();
});

test('a quantile is of what fell into the buckets since then', (t) => {
  const then = { '0.1': 100, '1': 100, '10': 100, '+Inf': 100 };
  const now = { '0.1': 100, '1': 150, '10': 200, '+Inf': 200 };
  t.equal(quantileSince(now, then, 0.5), 1);
  t.equal(quantileSince(now, then, 0.25), 0.55);
  t.equal(quantileSince(now, now, 0.5), undefined, 'nothing since');
  t.equal(quantileSince({ '1': 0, '+Inf': 5 }, {}, 0.5), 1, 'above the last bound');
  t.end();
});
