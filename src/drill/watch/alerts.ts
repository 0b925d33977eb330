import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { field, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import { freePort } from '../fronts/listening.ts';
import { BesideProgram } from '../stand/beside-program.ts';
import type { FleetReplica } from '../stand/replica.ts';

/** Prometheus with the shipped rules, whose times are seconds. */
export interface AlertWatch {
  /** All that are shipped. */
  readonly names: readonly string[];
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

/** The names of the alerts in a rule file. */
export function alertNames(rules: string): readonly string[] {
  const mark = '- alert: ';
  const lines = rules.split('\n').map((line) => line.trim());
  return lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(mark.length));
}

/** Starts the program in the folder; it scrapes every replica each second. */
export async function createAlertWatch(
  folder: string,
  program: string,
  replicas: readonly FleetReplica[],
  signal: AbortSignal,
): Promise<AlertWatch> {
  const port = await freePort();
  const [rules, config] = [join(folder, 'rules.yaml'), join(folder, 'prometheus.json')];
  const shipped = await readFile(rulesFile, 'utf8');
  await writeFile(rules, shortened(shipped));
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
    signal,
  });
  child.start();
  await child.listens(port);
  return {
    names: alertNames(shipped),
    async firing(looking) {
      const limit = AbortSignal.any([looking, AbortSignal.timeout(2_000)]);
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/alerts`, { signal: limit });
      const alerts = listOf(field(field(jsonOrNone(await answer.text()), 'data'), 'alerts'));
      const firing = alerts.filter((alert) => field(alert, 'state') === 'firing');
      return firing.flatMap((alert) => textOf(field(field(alert, 'labels'), 'alertname')) ?? []);
    },
    close: () => child.stop(),
  };
}
