import { test } from 'tap';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { namedBytes } from '../../src/oci/schema1.ts';
import { signedSchema1 } from '../support/schema1.ts';

const payload = '{\n   "schemaVersion": 1,\n   "name": "ä/b"\n}';

test('a signed schema 1 manifest is named by its payload', async (t) => {
  const bytes = namedBytes(signedSchema1(payload), mediaTypes.dockerSchema1Signed);
  t.equal(Buffer.from(bytes).toString(), payload);
});

test('every other manifest is named by all its bytes', async (t) => {
  const bytes = signedSchema1(payload);
  t.equal(namedBytes(bytes, mediaTypes.dockerSchema1), bytes);
  t.equal(namedBytes(bytes, mediaTypes.ociManifest), bytes);
});

test('a signature block that cannot be read names nothing else', async (t) => {
  for (const text of ['{}', '{"signatures":[]}', '{"signatures":[{"protected":"!!"}]}', 'no JSON']) {
    const bytes = Buffer.from(text);
    t.equal(namedBytes(bytes, mediaTypes.dockerSchema1Signed), bytes);
  }
});
