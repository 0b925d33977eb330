import { type Test, test } from 'tap';
import { digestOf } from '../src/oci/digest.ts';
import { mediaTypes } from '../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../src/oci/reference.ts';
import { blobKey, formatKey, memberKey, tagKey } from '../src/store/keys.ts';
import { isPulled } from './bad-days/rig.ts';
import { overS3, stored } from './bad-days/s3-rig.ts';
import { until } from './support/bodies.ts';
import { s3Double } from './support/s3-double.ts';
import { sized } from './support/sized.ts';

const repository = parseRepository('openshift/many');

/** A bucket that so many images of one layer went through, under a tag each. */
async function bucketOf(t: Test, images: number) {
  const s3 = await s3Double();
  t.teardown(s3.close);
  const writtenAt = new Date(0);
  const put = (key: string, text: string): void => {
    s3.objects.set(key, { bytes: Buffer.from(text), etag: '"1"', contentType: undefined, writtenAt });
  };
  put(formatKey, JSON.stringify({ jointSince: 0 }));
  for (let image = 0; image < images; image += 1) {
    for (const text of [`{"layer":${image}}`, `layer ${image}`]) {
      const digest = digestOf(Buffer.from(text));
      put(blobKey(digest), text);
      put(memberKey('quay.io', repository, digest), JSON.stringify({ size: text.length, format: 2 }));
    }
    const digest = digestOf(Buffer.from(`{"layer":${image}}`));
    const pointer = { digest, mediaType: mediaTypes.ociManifest, size: 11, checkedAt: 0 };
    put(tagKey('quay.io', repository, parseTag(`app-${image}`)), JSON.stringify(pointer));
  }
  return s3;
}

/** How often each operation was asked for, but for the looks at the bucket itself. */
function callsTo({ requests }: Awaited<ReturnType<typeof s3Double>>): Readonly<Record<string, number>> {
  const ofContent = requests.filter(({ key }) => !key.startsWith('v1/probes/'));
  const counts: Record<string, number> = {};
  for (const { operation } of ofContent) counts[operation] = (counts[operation] ?? 0) + 1;
  return counts;
}

/** What a start, a cold pull, a warm one and a restart cost over such a bucket. */
async function costOver(t: Test, images: number) {
  const s3 = await bucketOf(t, images);
  const first = await overS3(t, { s3 });
  await stored(first);
  t.ok(await isPulled(first.rig));
  await first.rig.stop();
  const before = callsTo(s3);
  s3.requests.length = 0;
  const second = await overS3(t, { s3, rig: first.rig });
  t.ok(await isPulled(second.rig));
  await until(() => s3.requests.length > 0);
  await second.rig.stop();
  return { before, after: callsTo(s3) };
}

test('a start, pulls and a restart cost as many calls over a full bucket as over an empty one', async (t) => {
  const full = await costOver(t, sized(10_000, 500_000));
  t.same(full, await costOver(t, 0));
});
