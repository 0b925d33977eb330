/** The files of the chart that are made of the sources. */
import { reloadable } from '../../src/app/reload.ts';
import { valuesSchema } from './values-schema.ts';

/** By path within the chart. */
export function chartFiles(): Readonly<Record<string, string>> {
  return {
    'values.schema.json': `${JSON.stringify(valuesSchema(), undefined, 2)}\n`,
    'files/reloadable.json': `[\n${reloadable.map((path) => `  ${JSON.stringify(path)}`).join(',\n')}\n]\n`,
  };
}
