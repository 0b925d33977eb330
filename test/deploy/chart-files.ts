/** The files of the chart that are made of the sources. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reloadable } from '../../src/app/reload.ts';
import { deploy } from './cases.ts';
import { valuesSchema } from './values-schema.ts';

/** By path within the chart. */
export function chartFiles(): Readonly<Record<string, string>> {
  return {
    'values.schema.json': `${JSON.stringify(valuesSchema(), undefined, 2)}\n`,
    'files/rules.yaml': withoutComments(readFileSync(join(deploy, 'monitoring/rules.yaml'), 'utf8')),
    'files/reloadable.json': `[\n${reloadable.map((path) => `  ${JSON.stringify(path)}`).join(',\n')}\n]\n`,
  };
}

function withoutComments(text: string): string {
  return text.replace(/^\s*#.*\n/gm, '');
}
