import { defined } from '../../base/text/defined.ts';
import { field, fieldsOf, listOf, textOf } from '../../base/text/json.ts';
import type { ApiObject } from './cluster.ts';
import type { HistoryItem, PrunedStream } from './stream-plan.ts';

/** What is read of an ImageStream; undefined for an object without a name. */
export function prunedStream(object: unknown): PrunedStream | undefined {
  const metadata = field(object, 'metadata');
  const [namespace, name] = [textOf(field(metadata, 'namespace')), textOf(field(metadata, 'name'))];
  if (namespace === undefined || name === undefined) return undefined;
  return {
    ...{ namespace, name },
    createdAt: Date.parse(textOf(field(metadata, 'creationTimestamp')) ?? ''),
    tags: listOf(field(field(object, 'status'), 'tags')).map((tag) => ({
      tag: textOf(field(tag, 'tag')) ?? '',
      items: listOf(field(tag, 'items')).map((item): HistoryItem => {
        return defined({ created: textOf(field(item, 'created')), image: textOf(field(item, 'image')) });
      }),
    })),
  };
}

/** The object with only those items in its status that `stays` says, and without empty tags. */
export function withItems(object: ApiObject, stays: (tag: number, item: number) => boolean): ApiObject {
  const status = fieldsOf(object['status']);
  const tags = listOf(status['tags']).map((tag, tagIndex) => ({
    ...fieldsOf(tag),
    items: listOf(field(tag, 'items')).filter((_, index) => stays(tagIndex, index)),
  }));
  return { ...object, status: { ...status, tags: tags.filter(({ items }) => items.length > 0) } };
}
