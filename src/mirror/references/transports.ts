/** Transports of skopeo and podman that are not supported, and what to write instead. */
const foreign: Readonly<Record<string, string>> = {
  dir: 'copy it with skopeo first, or use oci:PATH',
  'docker-archive': 'load it into a registry first, or use oci:PATH',
  'oci-archive': 'unpack it with tar and use oci:PATH',
  'docker-daemon': 'push the image to a registry first',
  'containers-storage': 'push the image to a registry first',
  ostree: 'push the image to a registry first',
  sif: 'push the image to a registry first',
  tarball: 'push the image to a registry first',
  http: 'write the reference without a scheme, with --insecure for a registry without TLS',
  https: 'write the reference without a scheme',
  s3: 'buckets are not supported, use a registry that keeps its blobs there',
};

const docker = 'docker://';
const longestName = 32;

/** The reference without `docker://`, which says in skopeo what goes without saying here. */
export function withoutTransport(text: string): string {
  return text.startsWith(docker) ? text.slice(docker.length) : text;
}

/**
 * What is wrong with a reference that begins with a transport which is not read here; undefined for
 * every other one, also for a registry of that name with a port.
 */
export function transportFault(text: string): string | undefined {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(0, colon));
  if (name.length > longestName) return undefined;
  if (text.startsWith('oci://')) return 'write a registry without oci://, a layout as oci:PATH';
  if (!Object.hasOwn(foreign, name) || /^:\d{1,5}\//.test(text.slice(colon, colon + 7))) return undefined;
  return `${name}: is a transport that is not read here: ${foreign[name]}`;
}
