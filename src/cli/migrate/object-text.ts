import { stringify } from 'yaml';
import type { Fields } from '../../base/text/json.ts';
import type { Output } from '../flags/io.ts';

/** Writes objects as they come: YAML documents, or one JSON `List`. */
export interface ObjectWriter {
  write(object: Fields): void;
  /** Once, whatever happened. */
  end(): void;
}

export function createObjectWriter(form: 'yaml' | 'json', output: Output): ObjectWriter {
  let count = 0;
  if (form === 'yaml')
    return {
      write: (object) =>
        output.write(`${count++ === 0 ? '' : '---\n'}${stringify(object, { lineWidth: 0 })}`),
      end: () => undefined,
    };
  output.write('{"apiVersion":"v1","kind":"List","items":[');
  return {
    write: (object) => output.write(`${count++ === 0 ? '\n' : ',\n'}${JSON.stringify(object)}`),
    end: () => output.write('\n]}\n'),
  };
}
