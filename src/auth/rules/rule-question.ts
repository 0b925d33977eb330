import type { Groups } from '../../base/text/expression.ts';
import type { ImageStreamTag } from '../../image-streams/image-stream-tag.ts';
import type { Question } from '../question.ts';

type StreamName = Pick<ImageStreamTag, 'namespace' | 'name'>;

/** A question template: each part may hold `$<group>`, the text of that named group of the rule. */
export interface QuestionTemplate {
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** Default: none, which asks for every name. */
  readonly name?: string;
  /** Default `get`. */
  readonly verb?: string;
  /** Default `image.openshift.io`; empty for the core group. */
  readonly group?: string;
  /** Default: none. */
  readonly version?: string;
  /** Default `imagestreams`. */
  readonly resource?: string;
  /** Default `layers`; empty for none. */
  readonly subresource?: string;
}

const hole = /\$<([^$<>]*)>/g;

/**
 * The question of the template with its groups. An empty group asks for more, never for less: no
 * namespace means all, no name means every one. Undefined without a verb or a resource.
 */
export function filledQuestion(template: QuestionTemplate, groups: Groups): Question | undefined {
  const filled = (part = ''): string => part.replace(hole, (_hole, group: string) => groups[group] ?? '');
  const verb = filled(template.verb ?? 'get');
  const resource = filled(template.resource ?? 'imagestreams');
  if (verb === '' || resource === '') return undefined;
  const version = filled(template.version);
  const subresource = filled(template.subresource ?? 'layers');
  const name = filled(template.name);
  return Object.freeze({
    verb,
    group: filled(template.group ?? 'image.openshift.io'),
    ...(version === '' ? {} : { version }),
    resource,
    ...(subresource === '' ? {} : { subresource }),
    namespace: filled(template.namespace),
    ...(name === '' ? {} : { name }),
  });
}

/** The groups that a part of a template names. */
export function groupsNamedIn(part: string): readonly string[] {
  return [...part.matchAll(hole)].map(([, group = '']) => group);
}

const streamTemplate = { namespace: '$<namespace>', name: '$<name>' };
const namespaceTemplate = { namespace: '$<namespace>' };
/** Above this number of readings the whole namespace is asked about, which implies each. */
const mostReadings = 8;

/** The question about the layers of an image stream. */
export function streamQuestion({ namespace, name }: StreamName): Question | undefined {
  return filledQuestion(streamTemplate, { namespace, name });
}

/** One for each image stream, or for each namespace where there are too many. */
export function streamQuestions(streams: readonly StreamName[]): readonly (Question | undefined)[] {
  if (streams.length <= mostReadings) return streams.map(streamQuestion);
  return streams.map(({ namespace }) => filledQuestion(namespaceTemplate, { namespace }));
}
