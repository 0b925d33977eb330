/**
 * A cluster full of ImageStreams, and a registry that has of nearly all their tags what they stand
 * for.
 */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { imageStreamDouble } from '../../test/support/image-stream-double.ts';
import { answerQuestions } from '../servers/worker.ts';

export type TagsQuestion =
  | {
      readonly kind: 'start';
      readonly tags: number;
      /** How many of them the registry has another image for. */
      readonly changed: number;
      /** Written: how to get to the cluster. */
      readonly kubeconfigFile: string;
    }
  | { readonly kind: 'counts' };

export interface TagsAnswer {
  /** Where the registry is: an origin. */
  readonly registry: string;
  /** Questions to the registry about tags that did not change. */
  readonly unchangedAsked: number;
  /** All other questions to the registry. */
  readonly otherAsked: number;
  /** Calls of the cluster. */
  readonly calls: number;
}

/** As many tags as a stream of a release has. */
const tagsPerStream = 20;
const namespace = 'ocp';

answerQuestions(tagWorld());

function tagWorld(): (question: TagsQuestion) => Promise<TagsAnswer> {
  const counts = { unchangedAsked: 0, otherAsked: 0 };
  let registry = '';
  let calls = (): number => 0;

  async function start({ tags, changed, kubeconfigFile }: Extract<TagsQuestion, { kind: 'start' }>) {
    const cluster = await imageStreamDouble();
    const changedTags = new Set<string>();
    for (let first = 0; first < tags; first += tagsPerStream) {
      const name = `stream-${first / tagsPerStream}`;
      const own: Record<string, { readonly digest: string }> = {};
      for (let index = first; index < Math.min(tags, first + tagsPerStream); index += 1) {
        own[`tag-${index}`] = { digest: digestOf(manifestOf(`${namespace}_${name}_tag-${index}`)) };
        if (index < changed) changedTags.add(`${namespace}_${name}_tag-${index}`);
      }
      cluster.put(`${namespace}/${name}`, own);
    }
    await writeFile(kubeconfigFile, cluster.kubeconfig, { mode: 0o600 });
    calls = () => cluster.requests.length;
    registry = await registryOf(changedTags, counts);
  }

  return async (question) => {
    if (question.kind === 'start') await start(question);
    return { registry, ...counts, calls: calls() };
  };
}

/** Knows every tag, and the images that streams stand for. Resolves to its origin. */
async function registryOf(
  changed: ReadonlySet<string>,
  counts: { unchangedAsked: number; otherAsked: number },
): Promise<string> {
  const inStreams = new Map<string, string>([...changed].map((tag) => [digestOf(manifestOf(tag)), tag]));
  const server = createServer((request, response) => {
    const [, reference = ''] = /\/manifests\/(.+)$/.exec(request.url ?? '') ?? [];
    const isChanged = changed.has(reference);
    if (reference.includes('_prune_')) {
      counts.otherAsked += 1;
      response.writeHead(404, { 'content-length': 0 }).end();
      return;
    }
    counts[reference === '' || isChanged || reference.includes(':') ? 'otherAsked' : 'unchangedAsked'] += 1;
    const bytes = manifestOf(inStreams.get(reference) ?? (isChanged ? `old ${reference}` : reference));
    response.writeHead(200, {
      'content-type': mediaTypes.ociManifest,
      'content-length': bytes.byteLength,
      'docker-content-digest': digestOf(bytes),
    });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Another one for each text. */
function manifestOf(text: string): Buffer {
  const empty = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: digestOf(Buffer.from('{}')),
    size: 2,
  };
  const annotations = { 'org.opencontainers.image.title': text };
  const fields = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: empty,
    layers: [],
    annotations,
  };
  return Buffer.from(JSON.stringify(fields));
}
