/** `npm run chart`: writes the chart's generated files and, by Helm, the rendered output. */
import { join } from 'node:path';
import { located } from '../e2e/programs.ts';
import { allCases, output } from './cases.ts';
import { rendered, writeChartFiles } from './render.ts';

await writeChartFiles();
const helm = await located('helm', (line) => console.error(line));
if ('missing' in helm) throw new Error(helm.missing);
for (const one of allCases) await rendered(helm.path, one, join(output, one.name));
