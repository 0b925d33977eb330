import { test } from 'tap';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { namedBytes } from '../../src/oci/schema1.ts';
import { forgedSchema1, signedSchema1 } from '../support/schema1.ts';

const payload = '{\n   "schemaVersion": 1,\n   "name": "ä/b"\n}';
const signed = mediaTypes.dockerSchema1Signed;
const encoded = (text: string): string => Buffer.from(text).toString('base64url');
const header = (formatLength: unknown, formatTail: unknown): string =>
  encoded(JSON.stringify({ formatLength, formatTail }));

test('a signed schema 1 manifest is named by its payload', async (t) => {
  const bytes = namedBytes(signedSchema1(payload), signed);
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
    t.equal(namedBytes(bytes, signed), bytes);
  }
});

const head = '{"schemaVersion":1';
const right = header(head.length, encoded('}'));
const signature = (protectedHeader: string): string => `{"protected":"${protectedHeader}"}`;
const document = (signatures: string, more = '', close = '}'): string =>
  `${head},"signatures":[${signatures}]${more}${close}`;

/** Documents that describe a payload which they are not. */
const forgeries: Readonly<Record<string, string>> = {
  'another payload in the tail': forgedSchema1(Buffer.from(payload), {}).toString(),
  'a tail that adds to the payload': document(signature(header(head.length, encoded(',"name":"x"}')))),
  'a key behind the signatures': document(signature(right), ',"fsLayers":[]'),
  'signatures twice': document(signature(right), `,"signatures":[${signature(right)}]`),
  'text behind the end': document(signature(right), '', '}}'),
  'signatures that disagree': document(`${signature(right)},${signature(header(1, encoded('}')))}`),
  'a signature without a description': document(`${signature(right)},{}`),
  'a length beyond its end': document(signature(header(9_999, encoded('}')))),
  'a length that is no number': document(signature(header('18', encoded('}')))),
  'a payload with signatures of its own': `{"schemaVersion":1,"signatures":[],"signatures":[${signature(
    header('{"schemaVersion":1,"signatures":[]'.length, encoded('}')),
  )}]}`,
  'a payload of another schema': `{"schemaVersion":2,"signatures":[${signature(right)}]}`,
};

test('a document is named by a payload only if it is that payload with signatures', async (t) => {
  const bytes = Buffer.from(document(`${signature(right)}, ${signature(right)}`));
  t.equal(Buffer.from(namedBytes(bytes, signed)).toString(), `${head}}`);
  for (const [what, text] of Object.entries(forgeries)) {
    const forged = Buffer.from(text);
    t.doesNotThrow(() => JSON.parse(text.replace(/\}\}$/, '}')), what);
    t.equal(namedBytes(forged, signed), forged, what);
  }
});
