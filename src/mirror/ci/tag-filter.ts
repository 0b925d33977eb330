import { type ImageStreamTag, imageStreamTagText } from '../../image-streams/image-stream-tag.ts';

/** Keys are `namespace/name:tag` of a tag, `namespace/name` of a stream. */
export interface TagFilterOptions {
  /** Excluded; wins over the rest. Read each time, as a reloaded configuration adds to it. */
  readonly isIgnored: (tag: string) => boolean;
  readonly additionalTags?: ReadonlySet<string>;
  readonly additionalNamespaces?: ReadonlySet<string>;
  readonly additionalStreams?: ReadonlySet<string>;
  /** What tests of ci-operator's configurations use. Default: nothing. */
  readonly inputs?: TestInputs;
}

/** What the tests of all configurations use, as of now. */
export interface TestInputs {
  hasTag(tag: string): boolean;
  /** Some test uses a stream as a whole. */
  hasStream(stream: string): boolean;
}

/** Whether the tag is to be mirrored. */
export function tagFilter(options: TagFilterOptions): (tag: ImageStreamTag) => boolean {
  const { isIgnored, additionalTags, additionalNamespaces, additionalStreams, inputs } = options;
  return (tag) => {
    const key = imageStreamTagText(tag);
    const stream = `${tag.namespace}/${tag.name}`;
    if (isIgnored(key)) return false;
    return (
      additionalTags?.has(key) === true ||
      additionalNamespaces?.has(tag.namespace) === true ||
      inputs?.hasTag(key) === true ||
      additionalStreams?.has(stream) === true ||
      inputs?.hasStream(stream) === true
    );
  };
}
