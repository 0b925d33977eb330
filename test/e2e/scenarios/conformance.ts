import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pushImage } from '../../support/images.ts';
import { craneRegistry } from '../fixtures/crane-registry.ts';
import { largest, onePlatform } from '../fixtures/images.ts';
import { quayside, upstreamName } from '../fixtures/quayside.ts';
import type { Scenario } from '../scenario.ts';

/**
 * The conformance suite of the distribution spec in its read-only form: pull and content discovery, on content that was
 * pushed to the upstream beforehand.
 */
export const conformance: Scenario = {
  name: 'conformance',
  needs: ['conformance', 'crane'],
  async play(scene) {
    const { stage, fact } = scene;
    const upstream = await craneRegistry(scene);
    const proxy = await quayside(stage, { upstream });
    const image = await onePlatform('conformance', 'oci', 1);
    const tags = ['a', 'b', 'c', 'd'];
    for (const tag of tags) await pushImage(upstream, 'team/app', tag, image);
    const env = {
      OCI_ROOT_URL: proxy.url,
      OCI_NAMESPACE: `${upstreamName}/team/app`,
      OCI_TEST_PULL: '1',
      OCI_TEST_CONTENT_DISCOVERY: '1',
      OCI_TAG_NAME: 'a',
      OCI_TAG_LIST: tags.join(','),
      OCI_MANIFEST_DIGEST: image.root.descriptor.digest,
      OCI_BLOB_DIGEST: largest(image).descriptor.digest,
    };
    await fact('the suite passes in its categories pull and content discovery', async () => {
      const result = await stage.run(scene.path('conformance'), [], {
        env,
        cwd: stage.directory,
        mayFail: true,
      });
      const report = await readFile(join(stage.directory, 'junit.xml'), 'utf8');
      const failures = [...report.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<failure[^>]*>([^<]*)/g)];
      assert.deepEqual(
        failures.map(([, name, text]) => `${name}: ${text?.trim().slice(0, 300)}`),
        [],
      );
      assert.equal(result.code, 0, result.stdout.slice(-2000));
    });
    await fact('the suite did decide something', async () => {
      const report = await readFile(join(stage.directory, 'junit.xml'), 'utf8');
      const cases = [...report.matchAll(/<testcase /g)].length - [...report.matchAll(/<skipped/g)].length;
      assert.ok(cases >= 15, `only ${cases} cases ran`);
    });
  },
};
