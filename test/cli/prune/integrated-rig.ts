import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pruningImages } from '../../../src/cli/prune/images.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { digestFor } from '../../prune/memory-place.ts';
import { integratedDouble } from '../../support/integrated-double.ts';
import { type RecordedIo, recordedIo } from '../io.ts';

export const now = Date.parse('2026-11-29T12:00:00Z');
const hourMs = 3_600_000;
export const hoursAgo = (hours: number, from = now): string => new Date(from - hours * hourMs).toISOString();

interface ImageWish {
  readonly hours?: number;
  readonly layers?: readonly string[];
  readonly children?: readonly string[];
  readonly isManaged?: boolean;
  readonly type?: string;
  readonly size?: number;
  readonly layerBytes?: number;
}

/** Tag → images by name, the newest first; an image made of its name is so many hours old. */
type Tags = Readonly<Record<string, readonly (string | readonly [image: string, hours: number])[]>>;

/** A test, or a scenario. */
interface Owner {
  teardown(end: () => void): unknown;
  /** A folder with these files. */
  testdir(files: Record<string, string>): string;
}

/**
 * A cluster with an integrated registry, and the command. Names stand for digests. `at`: the time
 * for all, ms since the epoch.
 */
export async function integratedRig(t: Owner, at = now) {
  const double = await integratedDouble(t);
  const dir = t.testdir({ kubeconfig: double.kubeconfig });
  const config = join(dir, 'quayside.yaml');
  await writeFile(config, `store: { filesystem: { path: ${dir}/store } }\n`);

  function addImage(name: string, wish: ImageWish = {}): void {
    const { hours = 100, layers = [`${name}-layer`], children = [], isManaged = true, size = 1_000 } = wish;
    double.addImage({
      metadata: {
        ...{ name: digestFor(name), creationTimestamp: hoursAgo(hours, at) },
        annotations: isManaged ? { 'openshift.io/image.managed': 'true' } : {},
      },
      dockerImageReference: `${new URL(double.registryUrl).host}/ns/app@${digestFor(name)}`,
      dockerImageManifestMediaType: wish.type ?? mediaTypes.dockerManifest,
      dockerImageMetadata: { Id: digestFor(`${name}-config`), Size: size },
      dockerImageLayers: layers.map((layer) => ({ name: digestFor(layer), size: wish.layerBytes ?? 10 })),
      dockerImageManifests: children.map((child) => ({ digest: digestFor(child) })),
    });
  }

  function addStream(id: string, tags: Tags, hours = 200): void {
    const [namespace, name] = id.split('/');
    double.addStream({
      metadata: { namespace, name, creationTimestamp: hoursAgo(hours, at) },
      status: {
        dockerImageRepository: 'kept',
        tags: Object.entries(tags).map(([tag, items]) => ({
          tag,
          items: items.map((item) => {
            const [image = '', age = 100] = typeof item === 'string' ? [item] : item;
            return { created: hoursAgo(age, at), image: digestFor(image), generation: 1 };
          }),
        })),
      },
    });
  }

  function addPod(image: string, more: { readonly phase?: string; readonly hours?: number } = {}): void {
    const { phase = 'Running', hours = 100 } = more;
    double.add('pods', {
      metadata: { namespace: 'team', name: 'app-7f', creationTimestamp: hoursAgo(hours, at) },
      spec: { containers: [{ name: 'app', image }] },
      status: { phase },
    });
  }

  const words = [
    ...['--kubeconfig', join(dir, 'kubeconfig'), '--config', config],
    ...['--registry-url', double.registryUrl],
  ];
  async function runIn(io: RecordedIo, ...args: string[]) {
    const code = await pruningImages(() => at)([...words, ...args], io);
    return { code, out: io.out(), err: io.err() };
  }
  const run = (...args: string[]) => runIn(recordedIo(), ...args);
  const imageOf = (name: string): string => `DELETE /apis/image.openshift.io/v1/images/${digestFor(name)}`;
  const blobOf = (name: string): string => `DELETE /admin/blobs/${digestFor(name)}`;
  const linkOf = (kind: 'blobs' | 'manifests', name: string, stream = 'ns/app'): string =>
    `DELETE /v2/${stream}/${kind}/${digestFor(name)}`;
  const itemsOf = (stream: string): number =>
    JSON.stringify(double.streams.get(stream)?.['status'] ?? '').split('"image":').length - 1;
  return {
    ...{ ...double, dir, words, addImage, addStream, addPod, run, runIn },
    ...{ imageOf, blobOf, linkOf, itemsOf },
  };
}
