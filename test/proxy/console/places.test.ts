import { test } from 'tap';
import { RegistryError } from '../../../src/oci/errors.ts';
import { createPlaces } from '../../../src/proxy/console/places.ts';

const operator = { name: 'local', isOperator: true };
const reader = (name: string) => ({ name, isOperator: false });

test('readers leave half of the places to operators, and one takes no more than its own', (t) => {
  const full = () => new RegistryError('TOOMANYREQUESTS', 'full');
  const places = createPlaces({ most: 4, mostOfOne: 1, full });
  const first = places.take(reader('ann'));
  t.throws(() => places.take(reader('ann')));
  places.take(reader('bob'));
  t.throws(() => places.take(reader('eve')));
  places.take(operator);
  places.take(operator);
  t.throws(() => places.take(operator));
  first[Symbol.dispose]();
  t.ok(places.take(reader('eve')));
  t.end();
});
