import { test } from 'tap';
import type { CaseFacts, SeenCase } from '../../src/explain/case.ts';
import { contentStep } from '../../src/explain/content.ts';
import type { ExplainSources, ProbeAnswer } from '../../src/explain/sources.ts';
import { tagStep } from '../../src/explain/tag.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../src/oci/reference.ts';

const layer = Buffer.from('a layer');
const config = Buffer.from('{}');
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: 2 },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(layer), size: 7 }],
  }),
);
const digest = digestOf(manifest);
const found: ProbeAnswer = { kind: 'found', digest, mediaType: mediaTypes.ociManifest, at: 0 };

interface Parts {
  readonly seen?: Partial<CaseFacts>;
  readonly stored?: readonly Uint8Array[];
  /** Bytes under another digest than theirs. */
  readonly lies?: Readonly<Record<Digest, Uint8Array>>;
  readonly blob?: ProbeAnswer;
  readonly gone?: 'hide' | 'keep';
  readonly viewer?: 'operator' | 'subject';
  readonly fails?: Error;
  readonly now?: number;
}

function seenCase({
  seen,
  stored = [],
  lies = {},
  blob,
  gone = 'hide',
  viewer = 'operator',
  fails,
  now = 0,
}: Parts): SeenCase {
  const held = new Map<string, Uint8Array>(stored.map((bytes) => [digestOf(bytes), bytes]));
  for (const [key, bytes] of Object.entries(lies)) held.set(key, bytes);
  const repository = parseRepository('openshift/ci');
  const reference = { tag: parseTag('ocp_4.5_base') };
  const sources = {
    tags: { where: 'store', find: async () => undefined, policy: () => ({ staleMs: 60_000, gone }) },
    content: {
      where: 'store',
      isReadable: true,
      read: async (wanted: Digest) => held.get(wanted),
      async stat(wanted: Digest) {
        if (fails !== undefined) throw fails;
        return held.get(wanted)?.byteLength;
      },
      member: async () => undefined,
    },
    probes: { blob: async () => blob ?? { kind: 'absent', at: 0 }, manifest: async () => found },
    now: () => now,
  } as unknown as ExplainSources;
  return {
    sources,
    viewer,
    reference,
    image: { registry: 'quay.io', repository, reference },
    place: { upstream: 'quay.io', repository },
    routed: { host: '*', auth: 'none', upstream: 'quay.io', repository },
    seen: { answer: found, digest, ...seen },
  };
}

const pointer = {
  digest,
  mediaType: mediaTypes.ociManifest,
  size: manifest.byteLength,
  checkedAt: 5,
  history: [
    { digest: digestOf(layer), mediaType: mediaTypes.ociManifest, from: 0, until: Date.UTC(2026, 10, 12) },
  ],
};

test('a tag says what it was until which day; a user of a cluster is not told', async (t) => {
  const { mark, found: lines, at } = await tagStep(seenCase({ seen: { pointer } }));
  t.equal(mark, 'ok');
  t.match(lines[1], `was ${digestOf(layer)} until 12 November 2026`);
  t.equal(at, 5);
  const own = await tagStep(seenCase({ seen: { pointer }, viewer: 'subject' }));
  t.notMatch(own.found.join('\n'), digestOf(layer));
});

test('a tag that the upstream lost is wrong, unless its last content is kept', async (t) => {
  const answer: ProbeAnswer = { kind: 'absent', at: 0 };
  t.equal((await tagStep(seenCase({ seen: { pointer, answer } }))).mark, 'wrong');
  t.match(await tagStep(seenCase({ seen: { pointer, answer }, gone: 'keep' })), { mark: 'ok' });
});

test('an image of which all is here is well', async (t) => {
  const { mark, found: lines } = await contentStep(seenCase({ stored: [manifest, layer, config] }));
  t.equal(mark, 'ok');
  t.match(lines[0], `manifest ${digest} is here; 2 of 2 parts are here`);
});

test('a part that is not here is fetched from the upstream, or is nowhere', async (t) => {
  const parts = { stored: [manifest, config] };
  const there: ProbeAnswer = { kind: 'found', digest: digestOf(layer), mediaType: 'x', at: 0 };
  const coming = await contentStep(seenCase({ ...parts, blob: there }));
  t.match(coming, { mark: 'ok' });
  t.match(coming.found.join('\n'), `not here: ${digestOf(layer)}, 7 B`);
  const nowhere = await contentStep(seenCase(parts));
  t.equal(nowhere.mark, 'wrong');
  t.match(nowhere.found.join('\n'), `quay.io has no ${digestOf(layer)}`);
  t.match(nowhere.next?.who, 'the owner of the image');
  const failed: ProbeAnswer = { kind: 'failed', code: 'UNAVAILABLE', message: 'no', at: 0 };
  t.match(await contentStep(seenCase({ ...parts, seen: { answer: failed } })), { mark: 'unknown' });
});

test('stored bytes that do not match their digest are wrong', async (t) => {
  const { mark, found: lines } = await contentStep(seenCase({ lies: { [digest]: layer } }));
  t.equal(mark, 'wrong');
  t.match(lines[0], 'do not match');
});

test('a store that cannot be read is wrong, with the reason, without a credential', async (t) => {
  const fails = new Error('connect to https://key:secret@s3.example.com failed');
  const { mark, found: lines, isInternal } = await contentStep(seenCase({ fails }));
  t.equal(mark, 'wrong');
  t.match(lines[0], /^the store cannot be read: connect to https/);
  t.notMatch(lines[0], 'secret@');
  t.equal(isInternal, true);
});

function imageOf(...layers: readonly Buffer[]): Buffer {
  const parts = layers.map((bytes) => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest: digestOf(bytes),
    size: bytes.byteLength,
  }));
  const own = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: 2 };
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: own, layers: parts }),
  );
}

function indexOf(...children: readonly Buffer[]): Buffer {
  const manifests = children.map((bytes) => ({
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(bytes),
    size: bytes.byteLength,
  }));
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
}

test('a damaged manifest of an index is wrong, though bytes of its digest are here', async (t) => {
  const index = indexOf(manifest);
  const parts = { stored: [index, layer, config], lies: { [digest]: Buffer.from('{}') } };
  const finding = await contentStep(seenCase({ ...parts, seen: { digest: digestOf(index) } }));
  t.equal(finding.mark, 'wrong', finding.found.join('; '));
  t.match(finding.found.join('; '), `the stored bytes of ${digest} do not match it`);
});

test('what is below every manifest of an index is looked for', async (t) => {
  const layers = Array.from({ length: 12 }, (_, index) => Buffer.from(`layer ${index}`));
  const images = layers.map((bytes) => imageOf(bytes));
  const index = indexOf(...images);
  const stored = [index, config, ...images, ...layers.slice(0, 11)];
  const finding = await contentStep(seenCase({ stored, seen: { digest: digestOf(index) } }));
  t.equal(finding.mark, 'wrong', finding.found.join('; '));
  t.match(finding.found.join('; '), `quay.io has no ${digestOf(layers[11] ?? layer)}`);
});

test('missing parts that were not asked for are not said to be at the upstream', async (t) => {
  const layers = Array.from({ length: 6 }, (_, index) => Buffer.from(`layer ${index}`));
  const image = imageOf(...layers);
  const there: ProbeAnswer = { kind: 'found', digest, mediaType: 'x', at: 0 };
  const finding = await contentStep(
    seenCase({ stored: [image], blob: there, seen: { digest: digestOf(image) } }),
  );
  t.match(finding.found.at(-1), 'quay.io has the 3 that were asked for');
});

test('more parts than are looked for are told', async (t) => {
  const layers = Array.from({ length: 250 }, (_, index) => Buffer.from(`layer ${index}`));
  const image = imageOf(...layers);
  const stored = [image, config, ...layers.slice(0, 220)];
  const finding = await contentStep(seenCase({ stored, seen: { digest: digestOf(image) } }));
  t.equal(finding.mark, 'unknown', finding.found.join('; '));
  t.match(finding.found.join('; '), '51 of them were not looked for');
});

test('a manifest is checked by the algorithm of its digest', async (t) => {
  const named = digestOf(manifest, 'sha512');
  const parts = { stored: [layer, config], lies: { [named]: manifest } };
  const finding = await contentStep(seenCase({ ...parts, seen: { digest: named } }));
  t.equal(finding.mark, 'ok', finding.found.join('; '));
});

test('a record older than tags.staleMs helps no pull while the upstream fails', async (t) => {
  const answer: ProbeAnswer = { kind: 'failed', code: 'UNAVAILABLE', message: 'no', at: 0 };
  t.equal((await tagStep(seenCase({ seen: { pointer, answer }, now: 50_000 }))).mark, 'ok');
  t.equal((await tagStep(seenCase({ seen: { pointer, answer }, now: 90_000 }))).mark, 'wrong');
});

test('of a former digest that is not here, the upstream is asked by that digest', async (t) => {
  const former = digestOf(layer);
  const asked: unknown[] = [];
  const own = seenCase({ seen: { digest: former } });
  const manifestOf = async (_place: unknown, reference: unknown): Promise<ProbeAnswer> => {
    asked.push(reference);
    return { kind: 'absent', at: 0 };
  };
  const sources = { ...own.sources, probes: { ...own.sources.probes, manifest: manifestOf } };
  t.equal((await contentStep({ ...own, sources })).mark, 'wrong');
  t.same(asked, [{ digest: former }]);
});
