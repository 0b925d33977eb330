import { test } from 'tap';
import { inventoryOf } from '../../../src/cache/eviction/inventory.ts';
import { digestOf } from '../../../src/oci/digest.ts';

test('each piece is found by its digest, of whatever algorithm, and counts once', async (t) => {
  const pieces = Array.from({ length: 5_000 }, (_, index) => ({
    digest: digestOf(Buffer.from(`${index}`), index % 7 === 0 ? 'sha512' : 'sha256'),
    size: index,
    storedAt: 2 * index,
  }));
  const inventory = await inventoryOf([...pieces, ...pieces.slice(0, 10)]);
  t.equal(inventory.length, pieces.length);
  t.equal(inventory.sizes.length, pieces.length);
  const wrong = pieces.filter(({ digest, size, storedAt }, index) => {
    const found = inventory.indexOf(digest);
    const isRight = found === index && inventory.digestAt(index) === digest;
    return !isRight || inventory.sizes[index] !== size || inventory.storedAt[index] !== storedAt;
  });
  t.same(wrong, []);
  t.equal(inventory.indexOf(digestOf(Buffer.from('absent'))), undefined);
  t.equal(inventory.indexOf(digestOf(Buffer.from('absent'), 'sha512')), undefined);
  t.equal(inventory.digestAt(pieces.length), undefined);
});
