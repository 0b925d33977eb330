/**
 * One tag of an ImageStream, or what a configuration names like one. Kubernetes has no `_` in the
 * namespace of an image stream; a target of the mirror may have one anywhere.
 */
export interface ImageStreamTag {
  readonly namespace: string;
  readonly name: string;
  readonly tag: string;
}

/** `<namespace>/<name>:<tag>` without empty parts. Undefined for other text. */
export function parseImageStreamTag(key: string): ImageStreamTag | undefined {
  const [namespace = '', rest = '', ...deeper] = key.split('/');
  const [name = '', tag = '', ...more] = rest.split(':');
  const isOne = deeper.length === 0 && more.length === 0 && !namespace.includes(':');
  return isOne && namespace !== '' && name !== '' && tag !== '' ? { namespace, name, tag } : undefined;
}

/** As keys of the mirror's files and messages have it: `ocp/4.5:base`. */
export function imageStreamTagText({ namespace, name, tag }: ImageStreamTag): string {
  return `${namespace}/${name}:${tag}`;
}
