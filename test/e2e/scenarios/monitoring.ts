import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { expressionsOf } from '../../monitoring/dashboards/grafana.ts';
import { dashboards } from '../../monitoring/dashboards/panels.ts';
import { alertCases, promtoolTests, ruleGroups, rulesFile, testedPieces } from '../../monitoring/rules.ts';
import { startCollector } from '../../support/collector-double.ts';
import { generatedImage, pushImage } from '../../support/images.ts';
import { prometheus } from '../fixtures/prometheus.ts';
import { quayside } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario } from '../scenario.ts';

/** Titles of panels about what a pull leaves behind. */
const shownByAPull = [
  'Replicas',
  'Requests by status',
  'Bytes to clients, by source',
  'First byte',
  'Where answers come from',
  'Spool',
  'Room left on file systems',
  'Downloads',
  'Bytes',
  'Time to the header, p99',
  'Memory',
  'Event loop, p99',
];

/** The expression as Grafana asks it, with everything chosen. */
function chosen(expression: string): string {
  const range = expression.replaceAll('[$__rate_interval]', '[1m]');
  return range.replaceAll(/"\$(?:namespace|job)"/g, '".*"');
}

/** What Prometheus and its tool say of our metrics, alerts and dashboards. */
export const monitoring: Scenario = {
  name: 'monitoring',
  needs: ['docker-registry', 'prometheus', 'promtool', 'skopeo'],
  async play(scene) {
    const { stage, fact } = scene;
    const promtool = (...args: string[]) => stage.run(scene.path('promtool'), args);
    const upstream = await registry(scene);
    const collector = await startCollector();
    const proxy = await quayside(stage, { upstream: upstream.url, env: collector.env });
    const image = await generatedImage({ seed: 'monitoring', layers: [3_000, 70_000], mediaTypes: 'oci' });
    await pushImage(upstream.url, 'team/app', 'v1', image);
    const source = `docker://${proxy.prefix}/team/app:v1`;
    const folder = join(stage.directory, 'pulled');
    await stage.run(scene.path('skopeo'), ['copy', '--src-tls-verify=false', source, `dir:${folder}`]);

    await fact('promtool finds nothing to say of the names and help texts of a scrape', async () => {
      const scrape = join(stage.directory, 'scrape');
      await writeFile(scrape, await proxy.metrics());
      const { stdout, stderr } = await stage.run('sh', [
        '-c',
        `"${scene.path('promtool')}" check metrics < "${scrape}"`,
      ]);
      assert.equal(stdout + stderr, '');
    });
    await fact('promtool reads the rules', () => promtool('check', 'rules', rulesFile));
    const scraping = await prometheus(scene, proxy.admin);
    await fact('Prometheus evaluates every rule on a scrape without an error', async () =>
      assert.deepEqual(await scraping.ruleErrors(), []),
    );
    await fact('Prometheus answers every panel, and those of what happened with series', async () => {
      const counts = new Map<string, number>();
      for (const panel of dashboards.flatMap(({ rows }) => Object.values(rows).flat()))
        for (const expression of expressionsOf(panel))
          counts.set(panel.title, await scraping.count(chosen(expression)));
      const empty = shownByAPull.filter((title) => counts.get(title) === 0);
      assert.deepEqual(empty, []);
    });
    await fact('Prometheus keeps exemplars of a scrape, whose traces the collector has', async () => {
      const traces = await scraping.exemplars('quayside_request_duration_seconds_bucket');
      const sent = new Set(collector.spans.map(({ traceId }) => traceId));
      assert.ok(traces.length > 0);
      assert.deepEqual(
        traces.filter((trace) => !sent.has(trace)),
        [],
      );
      await collector.close();
    });
    await fact('each alert fires in its case, and is quiet in the other', async () => {
      const cases = await alertCases();
      for (const piece of testedPieces(await ruleGroups(), cases)) {
        const file = join(stage.directory, `${piece.name}.yaml`);
        const tests = join(stage.directory, `${piece.name}-tests.yaml`);
        await writeFile(file, stringify({ groups: [{ name: piece.name, rules: piece.rules }] }));
        await writeFile(tests, stringify(promtoolTests(file, piece, cases)));
        await promtool('test', 'rules', tests);
      }
    });
  },
};
