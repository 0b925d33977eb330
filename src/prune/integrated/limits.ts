import { field, listOf, textOf } from '../../base/text/json.ts';

const suffixes: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/**
 * Whether an image is larger than a LimitRange of its namespace allows (`openshift.io/Image`,
 * `max.storage`). A limit that cannot be read allows everything.
 */
export async function limitsIn(
  ranges: AsyncIterable<unknown>,
): Promise<(namespace: string, size: number) => boolean> {
  const limits = new Map<string, number>();
  for await (const range of ranges) {
    const namespace = textOf(field(field(range, 'metadata'), 'namespace')) ?? '';
    for (const limit of listOf(field(field(range, 'spec'), 'limits'))) {
      const bytes = quantity(field(field(limit, 'max'), 'storage'));
      if (field(limit, 'type') !== 'openshift.io/Image' || bytes === undefined) continue;
      limits.set(namespace, Math.min(bytes, limits.get(namespace) ?? Number.POSITIVE_INFINITY));
    }
  }
  return (namespace, size) => size > (limits.get(namespace) ?? Number.POSITIVE_INFINITY);
}

/** Bytes of a quantity of Kubernetes, such as `10Gi`. */
function quantity(text: unknown): number | undefined {
  const [, amount = '', suffix = ''] = /^(\d{1,15}(?:\.\d{1,9})?)([A-Za-z]{0,2})$/.exec(String(text)) ?? [];
  const factor = suffixes[suffix];
  return amount === '' || factor === undefined ? undefined : Number(amount) * factor;
}
