import { test } from 'tap';
import { createChildren } from '../../../src/telemetry/metrics/kinds.ts';

test('each combination of label values has one child, whichever value differs', async (t) => {
  const { of, known } = createChildren<readonly ['kind', 'hit'], { values: readonly string[] }>((values) => ({
    values,
  }));
  t.equal(of('manifest', 'memory'), of('manifest', 'memory'));
  t.not(of('manifest', 'memory'), of('blob', 'memory'));
  t.not(of('manifest', 'memory'), of('manifest', 'store'));
  t.same(
    [...known()].map(([values]) => values.join(' ')),
    ['manifest memory', 'blob memory', 'manifest store'],
  );
});
