import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { field, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import { freePort } from '../fronts/listening.ts';
import { BesideProgram } from '../stand/beside-program.ts';
import type { FleetReplica } from '../stand/replica.ts';

/** Prometheus with the shipped rules, whose times are seconds. */
export interface AlertWatch {
  /** The alerts that fire now. */
  firing(signal: AbortSignal): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The rules that are shipped; the package has them too. */
const rulesFile = new URL('../../../deploy/monitoring/rules.yaml', import.meta.url);

/** What a rule looks back on, seconds: of rates over two scrapes at least. */
const rangeSeconds = 15;

/** The same rules for a drill: what has to last fires at once, ranges are seconds. */
export function shortened(rules: string): string {
  return rules
    .replace(/ for: .*/g, ' for: 1s')
    .replace(/\[\d+[smhd]\]/g, `[${rangeSeconds}s]`)
    .replace(/offset \d+[smhd]/g, `offset ${rangeSeconds}s`);
}

/** Starts the program in the folder; it scrapes every replica each second. */
export async function createAlertWatch(
  folder: string,
  program: string,
  replicas: readonly FleetReplica[],
): Promise<AlertWatch> {
  const port = await freePort();
  const [rules, config] = [join(folder, 'rules.yaml'), join(folder, 'prometheus.json')];
  await writeFile(rules, shortened(await readFile(rulesFile, 'utf8')));
  const targets = replicas.map(({ name, admin }) => ({
    targets: [new URL(admin).host],
    labels: { namespace: 'drill', job: 'quayside', pod: name },
  }));
  // JSON is YAML.
  const scrape = { job_name: 'quayside', static_configs: targets };
  const global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
  await writeFile(config, JSON.stringify({ global, rule_files: [rules], scrape_configs: [scrape] }));
  const child = new BesideProgram({
    command: program,
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    log: join(folder, 'prometheus.log'),
  });
  child.start();
  await child.listens(port);
  return {
    async firing(signal) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(2_000)]);
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/alerts`, { signal: limit });
      const alerts = listOf(field(field(jsonOrNone(await answer.text()), 'data'), 'alerts'));
      const firing = alerts.filter((alert) => field(alert, 'state') === 'firing');
      return firing.flatMap((alert) => textOf(field(field(alert, 'labels'), 'alertname')) ?? []);
    },
    close: () => child.stop(),
  };
}
