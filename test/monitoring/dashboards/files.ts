import { join } from 'node:path';
import { grafana } from './grafana.ts';
import { dashboards } from './panels.ts';

const folder = join(import.meta.dirname, '../../../deploy/monitoring/dashboards');

/** Each file of a dashboard, and what it is to hold. */
export function dashboardFiles(): readonly (readonly [path: string, text: string])[] {
  return dashboards.map((one) => [
    join(folder, `${one.name}.json`),
    `${JSON.stringify(grafana(one), null, 2)}\n`,
  ]);
}
