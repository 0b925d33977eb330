import { createRepositoryIndex } from '../../../src/cache/records/repository-index.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { membersPrefix } from '../../../src/store/keys.ts';
import type { Records } from '../../../src/store/records.ts';

export const scope = { upstream: 'quay.io', repository: parseRepository('team/app') };
export const elsewhere = { upstream: 'quay.io', repository: parseRepository('team/other') };
export const [v1, v2, v3] = [parseTag('v1'), parseTag('v2'), parseTag('v3')];

export const layers = (count: number, name = 'layer') =>
  Array.from({ length: count }, (_, index) => ({
    digest: digestOf(Buffer.from(`${name} ${index}`)),
    size: index,
  }));

export const firstLayer = digestOf(Buffer.from('layer 0'));
export const one = (name: string) => ({ digest: digestOf(Buffer.from(name)), size: 1 });

/** Records that say which calls were made. */
export function counted(records: Records) {
  const calls: string[] = [];
  const wrapped: Records = {
    ...records,
    get(key) {
      calls.push(`get ${key}`);
      return records.get(key);
    },
    put(key, bytes, condition) {
      calls.push(`put ${key}`);
      return records.put(key, bytes, condition);
    },
  };
  return { records: wrapped, calls };
}

/** Of members. */
export async function keysOf(records: Records): Promise<readonly string[]> {
  return (await Array.fromAsync(records.list(membersPrefix))).map(({ key }) => key).sort();
}

/** Members of one image, written. */
export async function filled(records: Records, count: number, options = {}): Promise<void> {
  const index = createRepositoryIndex({ records, ...options });
  await index.add(scope, layers(count), v1);
  await index.close();
}
