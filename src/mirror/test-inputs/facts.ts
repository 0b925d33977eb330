import { fieldsOf, isObject, isText, listOf } from '../../base/text/json.ts';
import { imageStreamTagText, parseImageStreamTag } from '../../image-streams/image-stream-tag.ts';
import { buildCache, promotedTags } from './promotion.ts';

/** What a list of steps uses. Their order does not matter here. */
export interface Steps {
  /** `namespace/name:tag` of images that steps themselves name. */
  readonly tags: readonly string[];
  /** Names in the step registry. */
  readonly refs: readonly string[];
  readonly chains: readonly string[];
  readonly observers: readonly string[];
}

/** The parts of a test or workflow. An absent part is the workflow's; an empty one is not. */
export interface TestFacts {
  readonly workflow?: string;
  readonly pre?: Steps;
  readonly test?: Steps;
  readonly post?: Steps;
  readonly observers?: { readonly enable: readonly string[]; readonly disable: readonly string[] };
}

/** As much as is kept of one configuration of ci-operator. */
export interface ConfigFacts {
  /** `namespace/name:tag` */
  readonly tags: readonly string[];
  /** `namespace/name`, used as a whole. */
  readonly streams: readonly string[];
  /** `namespace/name:tag`, of what it promotes. */
  readonly promoted: readonly string[];
  readonly tests: readonly TestFacts[];
}

/** As much as is kept of one file of the step registry. */
export type StepFacts =
  | { readonly kind: 'ref' | 'chain' | 'observer'; readonly name: string; readonly steps: Steps }
  | { readonly kind: 'workflow'; readonly name: string; readonly test: TestFacts };

/** Reads the images in files of openshift/release. Values of an unexpected shape are ignored. */
interface FactReader {
  config(data: unknown): ConfigFacts;
  /** Undefined for a file that defines no step. */
  step(data: unknown): StepFacts | undefined;
}

/** One reader for many files: copies texts, as a slice may keep the whole file in memory. */
export function createFactReader(): FactReader {
  const words = new Map<string, string>();

  function own(text: string): string {
    const known = words.get(text);
    if (known !== undefined) return known;
    const copy = Buffer.from(text).toString();
    words.set(copy, copy);
    return copy;
  }

  function names(value: unknown): readonly string[] {
    return listOf(value).flatMap((name) => (isText(name) ? [own(name)] : []));
  }

  function tags(...references: readonly unknown[]): readonly string[] {
    return references.flatMap((reference) => {
      const { namespace, name, tag } = fieldsOf(reference);
      if (!isText(namespace) || !isText(name) || !isText(tag)) return [];
      const key = imageStreamTagText({ namespace, name, tag });
      return parseImageStreamTag(key) === undefined ? [] : [own(key)];
    });
  }

  function streams(...references: readonly unknown[]): readonly string[] {
    return references.flatMap((reference) => {
      const { namespace, name } = fieldsOf(reference);
      return isText(namespace) && isText(name) ? [own(`${namespace}/${name}`)] : [];
    });
  }

  function steps(value: unknown): Steps {
    const items = listOf(value).map(fieldsOf);
    return {
      tags: tags(...items.map(({ from_image }) => from_image)),
      refs: names(items.map(({ ref }) => ref)),
      chains: names(items.map(({ chain }) => chain)),
      observers: names(items.flatMap(({ observers }) => listOf(observers))),
    };
  }

  function test(value: unknown): TestFacts {
    const { workflow, pre, test: main, post, observers } = fieldsOf(value);
    const { enable, disable } = fieldsOf(observers);
    return {
      ...(isText(workflow) ? { workflow: own(workflow) } : {}),
      ...(Array.isArray(pre) ? { pre: steps(pre) } : {}),
      ...(Array.isArray(main) ? { test: steps(main) } : {}),
      ...(Array.isArray(post) ? { post: steps(post) } : {}),
      ...(isObject(observers) ? { observers: { enable: names(enable), disable: names(disable) } } : {}),
    };
  }

  return {
    config(data) {
      const file = fieldsOf(data);
      const root = fieldsOf(file['build_root']);
      const raw = listOf(file['raw_steps']).map(fieldsOf);
      const tested = [...listOf(file['tests']), ...raw.map(({ test_step }) => test_step)].map(fieldsOf);
      const releases = Object.values(fieldsOf(file['releases'])).map(fieldsOf);
      return {
        tags: tags(
          ...Object.values(fieldsOf(file['base_images'])),
          ...Object.values(fieldsOf(file['base_rpm_images'])),
          root['image_stream_tag'],
          root['use_build_cache'] === true ? buildCache(file['zz_generated_metadata']) : undefined,
          ...raw.map(({ input_image_tag_step }) => fieldsOf(input_image_tag_step)['base_image']),
          ...raw.map(({ source_step }) => fieldsOf(source_step)['clonerefs_image']),
        ),
        streams: streams(file['tag_specification'], ...releases.map(({ integration }) => integration)),
        promoted: names(promotedTags(file)),
        tests: tested
          .flatMap(({ steps: made, literal_steps }) => [made, literal_steps].filter(isObject))
          .map(test),
      };
    },
    step(data) {
      for (const [kind, value] of Object.entries(fieldsOf(data))) {
        const fields = fieldsOf(value);
        const name = fields['as'] ?? fields['name'];
        if (!isText(name)) continue;
        const named = { name: own(name) };
        if (kind === 'ref' || kind === 'observer') return { kind, ...named, steps: steps([value]) };
        if (kind === 'chain') return { kind, ...named, steps: steps(fields['steps']) };
        if (kind === 'workflow') return { kind, ...named, test: test(fields['steps']) };
      }
      return undefined;
    },
  };
}
