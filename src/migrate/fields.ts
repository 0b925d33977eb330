import { field, isObject, isText, listOf } from '../base/text/json.ts';

/** Leads to a field of an object. */
export type FieldPath = readonly (string | number)[];

/** A field that names an image, or a repository. */
interface ImageField {
  readonly path: FieldPath;
  readonly text: string;
  readonly names: 'image' | 'repository';
}

/** Finds the fields of an object that name images. */
export type FieldFinder = (object: unknown) => readonly ImageField[];

/** Containers, init containers and image volumes of the pod spec there. */
export function podFields(...path: FieldPath): FieldFinder {
  return (object) => {
    const spec = path.reduce(field, object);
    return [
      ...eachOf(spec, 'initContainers', path, ['image']),
      ...eachOf(spec, 'containers', path, ['image']),
      ...eachOf(spec, 'volumes', path, ['image', 'reference']),
    ];
  };
}

/** Of an Image. */
export const imageFields: FieldFinder = (object) => one(object, ['dockerImageReference']);

/** Of the history of an ImageStream, which its end-point for status takes. */
export const streamHistory: FieldFinder = (object) =>
  listOf(field(field(object, 'status'), 'tags')).flatMap((tag, index) =>
    eachOf(tag, 'items', ['status', 'tags', index], ['dockerImageReference']),
  );

/** Of the spec of an ImageStream. */
export const streamSpec: FieldFinder = (object) => [
  ...one(object, ['spec', 'dockerImageRepository'], 'repository'),
  ...listOf(field(field(object, 'spec'), 'tags')).flatMap((tag, index) =>
    source(object, field(tag, 'from'), ['spec', 'tags', index, 'from']),
  ),
];

/** Of a BuildConfig: what it is built from, and where it is pushed to. */
export const buildFields: FieldFinder = (object) => {
  const spec = field(object, 'spec');
  const strategy = field(spec, 'strategy');
  const images = listOf(field(field(spec, 'source'), 'images'));
  const strategies = ['sourceStrategy', 'dockerStrategy', 'customStrategy'];
  return [
    ...source(object, field(field(spec, 'output'), 'to'), ['spec', 'output', 'to']),
    ...images.flatMap((each, index) =>
      source(object, field(each, 'from'), ['spec', 'source', 'images', index, 'from']),
    ),
    ...strategies.flatMap((name) =>
      source(object, field(field(strategy, name), 'from'), ['spec', 'strategy', name, 'from']),
    ),
  ];
};

/** A field below each item of a list. */
function eachOf(value: unknown, list: string, path: FieldPath, below: FieldPath): readonly ImageField[] {
  return listOf(field(value, list)).flatMap((item, index) => {
    const text = below.reduce(field, item);
    return isText(text) ? [{ path: [...path, list, index, ...below], text, names: 'image' as const }] : [];
  });
}

function one(object: unknown, path: FieldPath, names: ImageField['names'] = 'image'): readonly ImageField[] {
  const text = path.reduce(field, object);
  return isText(text) ? [{ path, text, names }] : [];
}

/** An object reference: only the kind DockerImage names an image. */
function source(object: unknown, from: unknown, path: FieldPath): readonly ImageField[] {
  return isObject(from) && from['kind'] === 'DockerImage' ? one(object, [...path, 'name']) : [];
}
