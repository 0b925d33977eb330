import { tagGlob } from './glob.ts';

/** Images, as `matchImages` of a kubelet's CredentialProviderConfig names them. */
export interface ImagePattern {
  readonly text: string;
  /** Whether it fits `<host>[:port]/<repository>`. */
  test(image: string): boolean;
}

/**
 * `*.dkr.ecr.*.amazonaws.com`, `quay.io/team`: the host has as many parts as the pattern, and in
 * each part `*` stands for any text; the port is the same; the path begins the repository, by whole
 * components. Throws an Error that says what is accepted.
 */
export function imagePattern(text: string): ImagePattern {
  if (!/^[a-z0-9*][a-z0-9*.-]*(?::\d{1,5})?(?:\/[a-z0-9._/-]+)?$/.test(text))
    throw new Error('must be a host as in *.dkr.ecr.*.amazonaws.com, with or without a port and a path');
  const wanted = partsOf(text);
  const hosts = wanted.host.split('.').map(tagGlob);
  return {
    text,
    test(image) {
      const { host, port, path } = partsOf(image);
      const labels = host.split('.');
      const isHost =
        labels.length === hosts.length && hosts.every((glob, index) => glob.test(labels[index] ?? ''));
      return isHost && port === wanted.port && `${path}/`.startsWith(`${wanted.path}/`.replace(/^\/$/, ''));
    },
  };
}

function partsOf(image: string): { readonly host: string; readonly port: string; readonly path: string } {
  const slash = image.indexOf('/');
  const [host = '', port = ''] = (slash < 0 ? image : image.slice(0, slash)).split(':', 2);
  return { host, port, path: slash < 0 ? '' : image.slice(slash + 1).replace(/(?<!\/)\/+$/, '') };
}
