import assert from 'node:assert/strict';
import { join } from 'node:path';
import { digestOf, hexOf } from '../../../src/oci/digest.ts';
import { pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { filesOf, readUntil } from '../fixtures/bodies.ts';
import { front } from '../fixtures/front.ts';
import { largest, onePlatform } from '../fixtures/images.ts';
import { quayside, upstreamName } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import { objectStorage } from '../fixtures/s3.ts';
import { versitygw } from '../fixtures/versitygw.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** kill -9 in the middle of a fill, on a store in files. */
export const crashFilesystem: Scenario = {
  name: 'crash-filesystem',
  needs: ['docker-registry'],
  play: (scene) => killed(scene, {}),
};

/** The same on a store in S3, where a multipart upload is under way. */
export const crashS3: Scenario = {
  name: 'crash-s3',
  needs: ['docker-registry', 'versitygw'],
  play: async (scene) => {
    const { store, keys, calls } = await objectStorage(scene.stage, await versitygw(scene));
    const isUploading = () =>
      calls.passed.some(({ method, path }) => method === 'PUT' && path.includes('partNumber'));
    await killed(scene, { store, keys, isUploading });
  },
};

interface Medium {
  readonly store?: Readonly<Record<string, unknown>>;
  /** Names of all that is visible. Default: the files of the filesystem store. */
  readonly keys?: () => Promise<readonly string[]>;
  /** Holds once the store has part of the blob. */
  readonly isUploading?: () => boolean;
}

async function killed(scene: Scene, { store, keys, isUploading }: Medium): Promise<void> {
  const { stage, fact } = scene;
  const upstream = await registry(scene);
  const link = await front(stage, upstream.url);
  const image = await onePlatform('crash', 'oci', 48);
  await pushImage(upstream.url, 'team/app', 'one', image);
  const proxy = await quayside(stage, { upstream: link.url, ...(store === undefined ? {} : { store }) });
  const { descriptor } = largest(image);
  const { digest, size } = descriptor;
  const base = `${proxy.url}/v2/${upstreamName}/team/app`;
  const visible = keys ?? (() => filesOf(join(proxy.folder, 'v1')));
  const isVisible = async () =>
    (await visible()).some((name) => name.includes('/blobs/') && name.endsWith(hexOf(digest)));

  await fact('a client holds half of a blob that is being filled when Quayside is killed', async () => {
    await (await fetch(`${base}/manifests/one`)).arrayBuffer();
    const release = link.hold(digest, size / 2);
    const answer = await fetch(`${base}/blobs/${digest}`);
    assert.equal(answer.status, 200);
    await readUntil(answer, size / 2 - 1024 * 1024);
    if (isUploading !== undefined) await until('a part is uploaded', isUploading);
    await proxy.stop('SIGKILL');
    release();
    await assert.rejects(readUntil(answer, Number.POSITIVE_INFINITY));
  });
  await fact('nothing of it is visible in the store', async () => assert.equal(await isVisible(), false));
  await proxy.start();
  await fact('after the start, still nothing partial is visible', async () =>
    assert.equal(await isVisible(), false),
  );
  await fact('the next pull is whole and right', async () => {
    const answer = await fetch(`${base}/blobs/${digest}`);
    assert.equal(digestOf(new Uint8Array(await answer.arrayBuffer())), digest);
    await until('the blob is kept', isVisible);
  });
  await fact('the spool is empty again: what the crash left was swept', () =>
    until('an empty spool', async () => (await filesOf(proxy.spoolFolder)).length === 0),
  );
  await fact('from now on it is served without the upstream', async () => {
    link.down = true;
    const answer = await fetch(`${base}/blobs/${digest}`);
    assert.equal(digestOf(new Uint8Array(await answer.arrayBuffer())), digest);
  });
}
