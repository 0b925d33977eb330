import { join } from 'node:path';
import { metricsPage } from './metrics-page.ts';
import { settingsPage } from './settings-page.ts';

const folder = join(import.meta.dirname, '../../docs/reference');

/** The pages that are made of the sources, by path. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    [join(folder, 'settings.md'), settingsPage()],
    [join(folder, 'metrics.md'), await metricsPage()],
  ]);
}
