import { createHash } from 'node:crypto';

/** How many streams of how many tags, each of which has stood for so many images. */
export interface ManyStreams {
  readonly streams: number;
  readonly tags: number;
  readonly items: number;
}

/** The digest of one item: the same for the same numbers. */
export function digestOfItem(stream: number, tag: number, item: number): string {
  return `sha256:${createHash('sha256').update(`${stream} ${tag} ${item}`).digest('hex')}`;
}

const repository = 'quay-proxy.ci.openshift.org/openshift/ci';
const minuteMs = 60_000;

/**
 * Fills a cluster double with streams as promotion and imports leave them: the newest item first,
 * one a minute, all of them new enough to count as former.
 */
export function putManyStreams(
  api: { putObject(stream: string, body: { readonly spec: object; readonly status: object }): void },
  { streams, tags, items }: ManyStreams,
): void {
  const now = Date.now();
  for (let stream = 0; stream < streams; stream += 1) {
    const spec: object[] = [];
    const status: object[] = [];
    for (let tag = 0; tag < tags; tag += 1) {
      const name = `component-${tag}`;
      const references = Array.from({ length: items }, (_, item) => {
        const image = digestOfItem(stream, tag, item);
        const created = new Date(now - item * minuteMs).toISOString();
        return { created, dockerImageReference: `${repository}@${image}`, image, generation: items - item };
      });
      spec.push({
        name,
        annotations: { 'release.openshift.io/from-image-stream': 'ocp/art-latest', owner: `team-${tag}` },
        from: { kind: 'DockerImage', name: references[0]?.dockerImageReference },
        generation: items,
        importPolicy: { importMode: 'PreserveOriginal' },
        referencePolicy: { type: 'Source' },
      });
      status.push({ tag: name, items: references });
    }
    api.putObject(`ocp/stream-${stream}`, {
      spec: { lookupPolicy: { local: false }, tags: spec },
      status: { tags: status },
    });
  }
}
