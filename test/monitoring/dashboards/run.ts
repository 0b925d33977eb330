/**
 * Writes the dashboards of Grafana to deploy/monitoring/dashboards:
 *
 *     npm run dashboards
 */
import { writeFile } from 'node:fs/promises';
import { dashboardFiles } from './files.ts';

for (const [path, text] of dashboardFiles()) await writeFile(path, text);
