import type { IntegratedCounts } from '../../prune/integrated/integrated.ts';
import type { Deletion } from '../../prune/plan.ts';
import type { PruneWords } from './words.ts';

/** The lines of `oc adm prune images`. */
export const integratedWords: PruneWords = {
  planned: lineOf,
  began: lineOf,
  failed: (id, deletion, why) => `${deletion?.of ?? id}: failed to ${workOf(id)}: ${why}`,
  ended: () => [],
};

function lineOf({ id, reason }: Deletion): string {
  const stream = streamIn(id);
  return stream === undefined ? `Deleting ${id}` : `Deleting ${reason} from image stream ${stream}`;
}

function workOf(id: string): string {
  if (streamIn(id) !== undefined) return 'remove image references';
  if (id.startsWith('image ')) return 'delete image from server';
  return `delete ${id.split(' in repository ', 1)[0]}`;
}

function streamIn(id: string): string | undefined {
  return id.startsWith('imagestream ') ? id.slice('imagestream '.length) : undefined;
}

const summaryWords: Readonly<Record<keyof IntegratedCounts, readonly [verb: string, what: string]>> = {
  images: ['deleted', 'image object(s)'],
  items: ['deleted', 'image stream tag item(s)'],
  streams: ['updated', 'image stream(s)'],
  layerLinks: ['deleted', 'layer link(s)'],
  manifestLinks: ['deleted', 'manifest link(s)'],
  blobs: ['deleted', 'blob(s)'],
};

/** `Summary: deleted 2 image object(s), …` */
export function summaryText(counts: IntegratedCounts): string {
  const parts = (Object.keys(summaryWords) as (keyof IntegratedCounts)[])
    .filter((name) => counts[name] > 0)
    .map((name) => `${summaryWords[name][0]} ${counts[name]} ${summaryWords[name][1]}`);
  return `Summary: ${parts.length === 0 ? 'deleted 0 objects' : parts.join(', ')}`;
}
