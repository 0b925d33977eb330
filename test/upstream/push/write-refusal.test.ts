import { Readable } from 'node:stream';
import { test } from 'tap';
import { lastingRefusal } from '../../../src/upstream/push/write-refusal.ts';
import { TryAgain } from '../../../src/upstream/resilience/retry.ts';

const unknown = { code: 'UNKNOWN', message: 'unknown error' };
const missing = { code: 'MANIFEST_BLOB_UNKNOWN', message: 'blob unknown to registry', detail: 'sha256:5d' };

/** What a 500 with these errors means for a manifest with that oddity. */
function meaning(errors: readonly object[], oddity: string | undefined) {
  const body = Readable.from([Buffer.from(JSON.stringify({ errors }))]);
  const answer = { status: 500, headers: {}, url: new URL('http://registry.test/v2/'), body };
  return lastingRefusal(answer, oddity).catch((error: unknown) => error);
}

test('a 500 of unknown errors that say nothing is a refusal of what is odd', async (t) => {
  const refusal = { code: 'UNSUPPORTED', message: 'the registry does not accept schema 1', retry: 'never' };
  t.match(await meaning([{ ...unknown, detail: {} }], 'schema 1'), refusal);
  t.match(await meaning([unknown, { ...unknown, detail: {} }, missing], 'schema 1'), refusal);
});

test('a 500 that says more, or is about nothing odd, passes', async (t) => {
  const disk = { ...unknown, detail: { DriverName: 'filesystem' } };
  t.type(await meaning([disk], 'schema 1'), TryAgain);
  t.type(await meaning([unknown, disk, missing], 'schema 1'), TryAgain);
  t.type(await meaning([{ code: 'INTERNAL' }], 'schema 1'), TryAgain);
  t.type(await meaning([], 'schema 1'), TryAgain);
  t.type(await meaning([unknown], undefined), TryAgain);
});
