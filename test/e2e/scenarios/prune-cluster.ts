import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTlsServer, request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { listening } from '../../support/listening.ts';
import { definitionOf, type StreamCluster, streamCluster } from '../fixtures/image-streams.ts';
import { command } from '../fixtures/quayside.ts';
import type { Scenario, Scene } from '../scenario.ts';
import { killFacts } from './prune-kills.ts';
import { rightsFacts } from './prune-rights.ts';

const rights = join(import.meta.dirname, '../../../deploy/kubernetes/image-pruner/rights.yaml');
const namespace = 'ci';
const names = ['now', 'former', 'used', 'old', 'lost'] as const;
const digestFor = (name: string): Digest => digestOf(Buffer.from(name));

/** `quayside prune images` in a real API server, with the rights of a pruner, before a registry. */
export const pruneCluster: Scenario = {
  name: 'prune-cluster',
  needs: ['kubernetes'],
  limitMs: 360_000,
  async play(scene) {
    const { stage, fact } = scene;
    const server = await streamCluster(scene, [namespace]);
    const { kubectl, apply } = server;
    await apply('definition.json', [imageDefinition]);
    await kubectl(['wait', '--for=condition=Established', `crd/${imageDefinition.metadata.name}`]);
    await apply('images.json', names.map(imageObject));
    await server.put(`${namespace}/app`, { latest: digestFor('now') });
    const items = names
      .slice(0, 4)
      .map((name) => ({ created: '2026-01-01T00:00:00Z', image: digestFor(name), dockerImageReference: '' }));
    const status = JSON.stringify({ status: { tags: [{ tag: 'latest', items }] } });
    await kubectl([
      ...['patch', 'imagestream', 'app', '-n', namespace, '--subresource=status', '--type=merge'],
      ...['--patch', status],
    ]);
    await apply('users.json', [userOf('used')]);
    const token = await server.newAccount(`${namespace}:pruner`);
    const kubeconfig = await server.kubeconfig('pruner', token, await wayWithImages(scene, server));
    const registry = await adminRegistry(scene, token);
    const config = join(stage.directory, 'prune.yaml');
    await writeFile(config, `store: { filesystem: { path: ${join(stage.directory, 'prune-store')} } }\n`);
    const run = (...args: readonly string[]) =>
      stage.run(
        process.execPath,
        [
          ...[command, 'prune', 'images', '--kubeconfig', kubeconfig, '--registry-url', registry.url],
          ...['--config', config],
          ...['--keep-younger-than', '0s', '--keep-tag-revisions', '2', ...args],
        ],
        { mayFail: true },
      );
    const left = async (): Promise<readonly string[]> => {
      const { stdout } = await kubectl(['get', 'images.image.openshift.io', '--output=name']);
      return names.filter((name) => stdout.includes(stored(digestFor(name))));
    };

    await fact('an account that may not list a kind changes nothing, and is told which', async () => {
      const { code, stderr } = await run('--confirm');
      assert.equal(code, 1);
      assert.match(stderr, /for the list of \w+.* - no changes made/);
      assert.deepEqual(registry.deleted, []);
    });
    await kubectl(['create', 'namespace', 'quayside']);
    await kubectl(['apply', '--filename', rights]);
    await apply('role.json', [binding]);
    await fact('a dry run tells what goes, and asks the registry nothing', async () => {
      const { code, stdout, stderr } = await run();
      assert.equal(code, 0, stderr);
      assert.match(stdout, /Deleting 1 items from image stream ci\/app\n/);
      assert.match(stdout, new RegExp(`Deleting image ${digestFor('old')}\n`));
      assert.equal((await left()).length, names.length);
      assert.deepEqual(registry.deleted, []);
    });
    await fact('while the registry fails every deletion, streams are updated and Images stay', async () => {
      registry.status = 500;
      const { code, stderr, stdout } = await run('--confirm');
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`image ${digestFor('old')}: failed to delete blob`));
      assert.match(stdout, /Failed to delete \d+ objects\./);
      assert.equal((await left()).length, names.length);
    });
    await fact('then the next run finishes: what streams and the Deployment use is there', async () => {
      registry.status = 202;
      const { code, stderr, stdout } = await run('--confirm');
      assert.equal(code, 0, stderr);
      assert.match(stdout, /Summary: deleted 2 image object\(s\)/);
      assert.deepEqual(await left(), ['now', 'former', 'used']);
      const blobs = registry.deleted.filter((path) => path.startsWith('/admin/blobs/'));
      assert.ok(blobs.includes(`/admin/blobs/${digestFor('old layer')}`));
      assert.ok(!blobs.includes(`/admin/blobs/${digestFor('base')}`), 'a layer that others need');
      assert.match((await run('--confirm')).stdout, /Summary: deleted 0 objects\n/);
    });
    await rightsFacts(scene, server);
    await killFacts(scene);
  },
};

const imageDefinition = definitionOf('Image', 'Cluster', {});

function imageObject(name: string): object {
  return {
    ...{ apiVersion: 'image.openshift.io/v1', kind: 'Image', metadata: { name: stored(digestFor(name)) } },
    dockerImageReference: `registry.test/ci/app@${digestFor(name)}`,
    dockerImageManifestMediaType: mediaTypes.dockerManifest,
    dockerImageMetadata: { Id: digestFor(`${name} config`), Size: 100 },
    dockerImageLayers: ['base', `${name} layer`].map((layer) => ({ name: digestFor(layer), size: 10 })),
  };
}

/** Its first container alone uses the image. */
function userOf(name: string): object {
  const labels = { app: 'web' };
  const first = { name: 'first', image: `registry.test/ci/app@${digestFor(name)}` };
  const spec = { initContainers: [first], containers: [{ name: 'web', image: 'other.test/web' }] };
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace } },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

const binding = {
  ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'pruner' } },
  roleRef: {
    apiGroup: 'rbac.authorization.k8s.io',
    kind: 'ClusterRole',
    name: 'quayside-quayside-image-pruner-images',
  },
  subjects: [{ kind: 'ServiceAccount', name: 'pruner', namespace }],
};

/** A name without the colon, which objects of a definition cannot have. */
function stored(digest: string): string {
  return digest.replace(':', '.');
}

/** A port that leads to the server, with Images under their names. */
async function wayWithImages({ stage }: Scene, { ca: file, way }: StreamCluster): Promise<number> {
  const [ca, cert, key] = await Promise.all(
    [file, join(file, '../server.crt'), join(file, '../server.key')].map((path) => readFile(path)),
  );
  const server = createTlsServer({ cert, key }, (incoming, response) => {
    const { method, headers, url = '' } = incoming;
    const path = url.replace(/\/images\/sha256(?:%3A|:)/, '/images/sha256.');
    const onward = request({ host: '127.0.0.1', port: way, path, method, headers, ca }, (got) => {
      void text(got).then((body) => {
        const named = body.replaceAll('"name":"sha256.', '"name":"sha256:');
        response.writeHead(got.statusCode ?? 502, { 'content-type': 'application/json' }).end(named);
      });
    });
    onward.once('error', () => response.destroy());
    incoming.pipe(onward);
  });
  const { port, close } = await listening(server);
  stage.defer(close);
  return port;
}

/** What the integrated registry does with the requests of a pruner. */
async function adminRegistry({ stage }: Scene, token: string) {
  const deleted: string[] = [];
  const held = { url: '', deleted, status: 202 };
  const server = createServer(({ method, url = '', headers }, response) => {
    const [, pair = ''] = /^Basic (.+)$/.exec(headers.authorization ?? '') ?? [];
    const isKnown = Buffer.from(pair, 'base64').toString() === `pruner:${token}`;
    if (method !== 'DELETE') return response.writeHead(200).end();
    if (isKnown && held.status === 202) deleted.push(url);
    return response.writeHead(isKnown ? held.status : 401).end();
  });
  const { host, close } = await listening(server);
  stage.defer(close);
  held.url = `http://${host}`;
  return held;
}
