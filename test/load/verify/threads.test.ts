import { test } from 'tap';
import { createDigestThreads } from '../../../src/load/verify/threads.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { randomContent } from '../../support/bodies.ts';

test('threads tell right bytes from wrong ones, in chunks of any size', async (t) => {
  const checks = createDigestThreads(2);
  t.teardown(() => checks.close());
  const { bytes, descriptor } = randomContent(700_001);
  const verdicts = [1, 2, 3].map(async (which) => {
    const check = checks.begin(which === 3 ? digestOf(bytes, 'sha512') : descriptor.digest);
    for (let at = 0; at < bytes.byteLength; at += 99_991) await check.write(bytes.subarray(at, at + 99_991));
    if (which === 2) await check.write(Buffer.from('x'));
    return check.end();
  });
  t.same(await Promise.all(verdicts), [true, false, true]);
  t.equal(await checks.begin(digestOf(Buffer.alloc(0))).end(), true, 'content of no bytes');
});

test('a writer waits when the threads are behind, and no buffer is lost', async (t) => {
  const checks = createDigestThreads(1);
  t.teardown(() => checks.close());
  const { bytes, descriptor } = randomContent(40 * 1024 * 1024);
  const dropped = checks.begin(descriptor.digest);
  await dropped.write(bytes.subarray(0, 1_000));
  dropped.drop();
  const check = checks.begin(descriptor.digest);
  await check.write(bytes);
  t.equal(await check.end(), true);
  t.ok(checks.waitedMs > 0);
});
