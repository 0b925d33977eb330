import { table } from '../../src/telemetry/metrics/table.ts';

/** The labels of each metric of our own. */
export const labelsOf: ReadonlyMap<string, readonly string[]> = new Map(
  Object.values(table).map(([name, , labels]) => [name, labels]),
);

/** Of Node, and of ci-images-mirror by its names. */
const foreign = /^(?:nodejs|process|quay_io_ci_images_distributor|workqueue)_/;

/** What Prometheus adds to each series of a pod. */
const ofTarget = ['namespace', 'job', 'pod'];

/** Whether others than our table name the series. */
export function isForeign(name: string): boolean {
  return foreign.test(name);
}

/** The series of an expression, and labels by which it chooses, that our metrics do not have. */
export function unknownSeries(expression: string): readonly string[] {
  const read = expression.matchAll(/\b((?:quayside|nodejs|process|quay_io|workqueue)_\w+)(?:\{([^}]*)\})?/g);
  return [...read].flatMap(([, name = '', selector = '']) => {
    if (isForeign(name)) return [];
    const labels = labelsOf.get(name) ?? labelsOf.get(name.replace(/_(?:bucket|count|sum)$/, ''));
    if (labels === undefined) return [name];
    const chosen = [...selector.matchAll(/(\w+)[=!]~?"/g)].map(([, label = '']) => label);
    return chosen
      .filter((label) => !labels.includes(label) && !ofTarget.includes(label))
      .map((label) => `${name}{${label}}`);
  });
}
