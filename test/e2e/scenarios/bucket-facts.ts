import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../fixtures/quayside.ts';
import type { objectStorage } from '../fixtures/s3.ts';
import type { Scene } from '../scenario.ts';

/** What `quayside bucket ensure` makes of a bucket that a real server does not have yet. */
export async function bucketFacts(
  { stage, fact }: Scene,
  { s3 }: Awaited<ReturnType<typeof objectStorage>>['store'],
): Promise<void> {
  const settings = s3 as Readonly<Record<string, string>>;
  const ensure = async (bucket: string, ...words: readonly string[]) => {
    const file = join(stage.directory, `ensure-${bucket}.json`);
    await writeFile(file, JSON.stringify({ store: { s3: { ...settings, bucket } } }));
    const credentials = [
      ...['--access-key-id-file', settings['accessKeyIdFile'] ?? ''],
      ...['--secret-access-key-file', settings['secretAccessKeyFile'] ?? ''],
    ];
    const args = [command, 'bucket', 'ensure', '--config', file, ...credentials, ...words];
    return stage.run(process.execPath, args, { mayFail: true });
  };

  await fact('bucket ensure plans a missing bucket, and makes nothing without --confirm', async () => {
    for (let count = 0; count < 2; count += 1) {
      const { code, stdout, stderr } = await ensure('quayside-made');
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /^bucket quayside-made at \S+ does not exist; plan:\n {2}create the bucket\n/);
    }
  });
  await fact('with it the bucket is there, ours, and has all that the server offers', async () => {
    const { code, stdout, stderr } = await ensure('quayside-made', '--confirm', '--tag', 'team=ci');
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /done: create the bucket\ndone: tag it team=ci, quayside\/quayside=owned\n/);
    assert.match(stdout, /StorageExists +True /);
    assert.match(stdout, /StorageTagged +True +Tagging Successful/);
    assert.match(stdout, /StorageConditionalWrites +True /);
    assert.match(stdout, /StorageClock +True /);
    // What it lacks here, the server does not offer.
    assert.doesNotMatch(stdout, /failed: /);
  });
  await fact('a rerun changes nothing', async () => {
    const { code, stdout } = await ensure('quayside-made', '--confirm');
    assert.equal(code, 0, stdout);
    assert.doesNotMatch(stdout, /done: (?:create|tag)/);
  });
  await fact('a bucket that was made by hand is user supplied, and stays as it is', async () => {
    const { code, stdout } = await ensure('quayside', '--confirm');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /is user supplied: .* nothing is changed/);
    assert.doesNotMatch(stdout, /done: /);
  });
}
