/** What is deleted of an integrated registry and its cluster. */
export type IntegratedObject =
  | { readonly kind: 'blob' | 'image'; readonly digest: string }
  | { readonly kind: 'imagestream'; readonly repository: string }
  | { readonly kind: 'layer link' | 'manifest link'; readonly digest: string; readonly repository: string };

/** What ties a blob to a repository. */
export type RepositoryLink = Extract<IntegratedObject, { readonly kind: 'layer link' | 'manifest link' }>;

export function isLink(object: IntegratedObject): object is RepositoryLink {
  return object.kind === 'layer link' || object.kind === 'manifest link';
}

/** `blob D`, `image D`, `imagestream NS/NAME`, `layer link D in repository NS/NAME`. */
export function idOf(object: IntegratedObject): string {
  if (object.kind === 'imagestream') return `imagestream ${object.repository}`;
  const id = `${object.kind} ${object.digest}`;
  return 'repository' in object ? `${id} in repository ${object.repository}` : id;
}

/** Undefined for a text that is no id. */
export function parseObject(id: string): IntegratedObject | undefined {
  const words = id.split(' ');
  if (words.length === 2) return plainObject(words);
  const [first, link, digest = '', inside, where, repository = '', ...rest] = words;
  const kind = first === 'layer' ? 'layer link' : first === 'manifest' ? 'manifest link' : undefined;
  const isWritten = link === 'link' && inside === 'in' && where === 'repository' && rest.length === 0;
  if (kind === undefined || !isWritten || digest === '' || !isRepository(repository)) return undefined;
  return { kind, digest, repository };
}

function plainObject([kind, name = '']: readonly string[]): IntegratedObject | undefined {
  if (kind === 'imagestream') return isRepository(name) ? { kind, repository: name } : undefined;
  return (kind === 'blob' || kind === 'image') && name !== '' ? { kind, digest: name } : undefined;
}

/** `NAMESPACE/NAME` */
function isRepository(text: string): boolean {
  const parts = text.split('/');
  return parts.length === 2 && !parts.includes('');
}
