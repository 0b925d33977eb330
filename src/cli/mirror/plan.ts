import type { Mapping } from '../../mirror/batch/mapping.ts';
import type { PlannedBlob, PlannedRepository } from '../../mirror/batch/plan.ts';
import type { ImageCopy } from '../../mirror/images/image-copy.ts';
import { placeText } from '../../mirror/references/pull-spec.ts';
import { binarySize } from './go-text.ts';

type MappingOf = (image: ImageCopy) => Mapping;

/** The plan as `oc image mirror` prints it: each place, its repositories, blobs and bytes. */
export function planText(repositories: readonly PlannedRepository[], mappingOf: MappingOf): string {
  const places = Map.groupBy(repositories, ({ destination }) => destination);
  return [...places]
    .map(([name, each]) => [
      `${name}/`,
      ...each.flatMap((one) => repositoryLines(one, mappingOf)),
      statsLine(each),
    ])
    .map((lines) => `${lines.join('\n')}\n`)
    .join('');
}

function repositoryLines(
  { repository, blobs, manifests }: PlannedRepository,
  mappingOf: MappingOf,
): string[] {
  const sorted = [...blobs].sort((left, right) => left.descriptor.size - right.descriptor.size);
  return [
    `  ${repository}`,
    ...(blobs.length === 0 ? [] : ['    blobs:', ...sorted.map((blob) => blobLine(blob, mappingOf))]),
    '    manifests:',
    ...manifests.map(({ digest, tag }) => `      ${digest}${tag === undefined ? '' : ` -> ${tag}`}`),
  ];
}

function blobLine(
  { image, descriptor: { digest, size }, isMounted }: PlannedBlob,
  mappingOf: MappingOf,
): string {
  const from = placeText(mappingOf(image).source);
  return `      ${from} ${digest}${size < 0 ? '' : ` ${binarySize(size)}`}${isMounted ? ' (mount)' : ''}`;
}

/** A blob for several repositories of a place is shared; sent once where mounts are accepted. */
function statsLine(repositories: readonly PlannedRepository[]): string {
  const byDigest = Map.groupBy(
    repositories.flatMap(({ blobs }) => blobs.map(({ descriptor }) => descriptor)),
    ({ digest }) => digest,
  );
  const all = [...byDigest.values()];
  const shared = all.filter(({ length }) => length > 1);
  const unique = all.filter(({ length }) => length === 1);
  const [total, single] = [bytesOf(all), bytesOf(unique)];
  const ratio = total === 0 ? '' : ` ratio=${(single / total).toFixed(2)}`;
  return `  stats: shared=${shared.length} unique=${unique.length} size=${binarySize(total)}${ratio}`;
}

function bytesOf(groups: readonly (readonly { readonly size: number }[])[]): number {
  return groups.reduce((sum, [first]) => sum + Math.max(0, first?.size ?? 0), 0);
}
