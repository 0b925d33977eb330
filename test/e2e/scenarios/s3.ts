import assert from 'node:assert/strict';
import { join } from 'node:path';
import { digestOf, hexOf } from '../../../src/oci/digest.ts';
import { pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { assertAskedOnce, assertDirectoryHolds } from '../fixtures/compare.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { largest, multiArch, onePlatform } from '../fixtures/images.ts';
import { quayside, upstreamName } from '../fixtures/quayside.ts';
import { radosgw, radosgwPrograms } from '../fixtures/radosgw.ts';
import { contentRequests, registry } from '../fixtures/registry.ts';
import { objectStorage } from '../fixtures/s3.ts';
import { versitygw } from '../fixtures/versitygw.ts';
import type { ProgramName } from '../programs.ts';
import type { Scenario, Scene } from '../scenario.ts';
import { bucketFacts } from './bucket-facts.ts';

/** Ceph's gateway as the store. */
export const s3Radosgw = s3('s3-radosgw', radosgwPrograms, radosgw);

/** versitygw as the store. */
export const s3Versitygw = s3('s3-versitygw', ['versitygw'], versitygw);

/** An S3 server as the store: what is kept there, what it is asked, and what happens without it. */
function s3(
  name: string,
  needs: readonly ProgramName[],
  server: (scene: Scene) => Promise<string>,
): Scenario {
  return {
    name,
    needs: ['docker-registry', 'skopeo', ...needs],
    play: (scene) => played(scene, server),
  };
}

async function played(scene: Scene, server: (scene: Scene) => Promise<string>): Promise<void> {
  const { stage, fact } = scene;
  const { calls, store, keys, uploads } = await objectStorage(stage, await server(scene));
  await bucketFacts(scene, store);
  const upstream = await registry(scene);
  const proxy = await quayside(stage, { upstream: upstream.url, store });
  const image = await multiArch('s3', 'oci');
  await pushImage(upstream.url, 'team/app', 'one', image);
  const { env } = await containersConfig(stage);
  const copy = async (from: string, tag: string, folder: string) => {
    const directory = join(stage.directory, folder);
    const args = ['copy', '--insecure-policy', '--src-tls-verify=false', '--all'];
    await stage.run(scene.path('skopeo'), [...args, `docker://${from}/team/app:${tag}`, `dir:${directory}`], {
      env,
    });
    return directory;
  };
  const { digest } = largest(image).descriptor;
  const url = (base: string, path: string) => `${base}/v2/${upstreamName}/team/app/${path}`;

  await upstream.forget();
  await fact('a cold multi-arch image arrives byte for byte, its content asked for once', async () => {
    await assertDirectoryHolds(await copy(proxy.prefix, 'one', 'cold'), image);
    assertAskedOnce(await upstream.asked(), image);
  });
  await fact('every manifest and blob becomes an object, and no upload is left unfinished', async () => {
    const wanted = [image.root, ...image.manifests, ...image.blobs].map(({ descriptor }) =>
      hexOf(descriptor.digest),
    );
    await until('all objects', async () => {
      const there = await keys();
      return wanted.every((hex) => there.some((key) => key.endsWith(hex)));
    });
    assert.deepEqual(await uploads(), []);
  });
  await fact('a warm image arrives byte for byte without the upstream', async () => {
    await upstream.forget();
    await assertDirectoryHolds(await copy(proxy.prefix, 'one', 'warm'), image);
    assert.deepEqual(contentRequests(await upstream.asked()), []);
  });
  await fact('a warm manifest costs no S3 call, by tag or by digest, GET or HEAD', async () => {
    calls.passed.length = 0;
    for (const reference of ['one', image.root.descriptor.digest]) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await fetch(url(proxy.url, `manifests/${reference}`), { method });
        assert.equal(answer.status, 200);
        await answer.arrayBuffer();
      }
    }
    assert.deepEqual(blobCalls(calls.passed), []);
  });
  await fact('a warm blob costs one S3 call, and a warm HEAD none', async () => {
    calls.passed.length = 0;
    await fetch(url(proxy.url, `blobs/${digest}`), { method: 'HEAD' });
    assert.deepEqual(blobCalls(calls.passed), []);
    const answer = await fetch(url(proxy.url, `blobs/${digest}`));
    assert.equal(digestOf(new Uint8Array(await answer.arrayBuffer())), digest);
    const made = blobCalls(calls.passed);
    assert.equal(made.length, 1, made.join(', '));
  });

  await upstream.stop();
  await proxy.stop();
  await proxy.start();
  await fact('after a restart on the same bucket, without the upstream, everything is found', async () =>
    assertDirectoryHolds(await copy(proxy.prefix, 'one', 'restarted'), image),
  );
  await fact('a second replica on the same bucket serves it too', async () => {
    const replica = await quayside(stage, { upstream: upstream.url, store, name: 'replica' });
    await assertDirectoryHolds(await copy(replica.prefix, 'one', 'replica'), image);
  });
  await redirects(scene, upstream.url, store, digest);
  await upstream.start();
  await fact('with S3 gone, a new image is still served', async () => {
    const other = await onePlatform('s3 gone');
    await pushImage(upstream.url, 'team/app', 'two', other);
    calls.down = true;
    await assertDirectoryHolds(await copy(proxy.prefix, 'two', 'gone'), other);
  });
  await fact('with S3 gone, what was kept there is served from the upstream', async () =>
    assertDirectoryHolds(await copy(proxy.prefix, 'one', 'gone-again'), image),
  );
}

/**
 * A replica that redirects: the client fetches from S3 itself, by a URL that was signed without any
 * call.
 */
async function redirects(
  { stage, fact }: Scene,
  upstream: string,
  store: Awaited<ReturnType<typeof objectStorage>>['store'],
  digest: string,
): Promise<void> {
  const replica = await quayside(stage, {
    upstream,
    store: { s3: { ...(store['s3'] as object), redirect: 'always' } },
    name: 'redirecting',
  });
  const blob = `${replica.url}/v2/${upstreamName}/team/app/blobs/${digest}`;
  await fact('when redirecting, a blob is a 307 to a URL that delivers it', async () => {
    const answer = await fetch(blob, { redirect: 'manual' });
    assert.equal(answer.status, 307);
    const content = await fetch(answer.headers.get('location') ?? '');
    assert.equal(digestOf(new Uint8Array(await content.arrayBuffer())), digest);
  });
  await fact('when redirecting, HEAD and a list of ranges are answered here', async () => {
    assert.equal((await fetch(blob, { method: 'HEAD', redirect: 'manual' })).status, 200);
    const parts = await fetch(blob, { headers: { range: 'bytes=0-9,100-109' }, redirect: 'manual' });
    await parts.arrayBuffer();
    assert.equal(parts.status, 206);
  });
}

/**
 * Calls for content and what is known of it. What is written down of it comes in its own time, and
 * so do the looks at the bucket and at orders of other replicas.
 */
function blobCalls(passed: readonly { readonly method: string; readonly path: string }[]): readonly string[] {
  return passed
    .filter(
      ({ method, path }) =>
        path.includes('/v1/blobs/') || (method === 'GET' && /\/v1\/(?:members|partial|tags)\//.test(path)),
    )
    .map(({ method, path }) => `${method} ${path}`);
}
