import { join } from 'node:path';
import { commandPages } from './commands.ts';
import { metricsPage } from './metrics-page.ts';
import { settingsPage } from './settings-page.ts';

const folder = join(import.meta.dirname, '../../docs/reference');

/** The pages that are made of the sources, by path. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const { reference, manual } = await commandPages();
  return new Map([
    [join(folder, 'commands.md'), reference],
    [join(folder, '../../man/quayside.1'), manual],
    [join(folder, 'settings.md'), settingsPage()],
    [join(folder, 'metrics.md'), await metricsPage()],
  ]);
}
