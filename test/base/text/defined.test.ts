import { test } from 'tap';
import { defined } from '../../../src/base/text/defined.ts';

test('undefined fields are absent, and nothing else is', async (t) => {
  const tag: string | undefined = undefined;
  const made: { readonly name: string; readonly tag?: string } = defined({ name: 'a', tag });
  t.same(Object.keys(made), ['name']);
  t.same(defined({ none: null, zero: 0, no: false, empty: '' }), {
    none: null,
    zero: 0,
    no: false,
    empty: '',
  });
  t.same(defined({}), {});
});
