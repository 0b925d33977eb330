import { concurrently } from '../base/flow/each.ts';
import { scrubbed } from '../base/text/redaction.ts';
import type { Descriptor } from '../oci/content.ts';
import { type Digest, isNamedBy } from '../oci/digest.ts';
import { type Manifest, maxManifestBytes, parseManifest } from '../oci/manifest.ts';
import type { SeenCase } from './case.ts';
import type { ProbeAnswer } from './sources.ts';
import { bytesText, type Finding, untold } from './step.ts';

/** More blobs of one image are not looked for. */
const mostBlobs = 200;
/** Manifests that an index lists, and those below them, that are read. */
const mostChildren = 50;
/** Missing blobs that the upstream is asked for. */
const mostAsked = 3;
const looksAtOnce = 8;

interface ContentInventory {
  readonly here: Descriptor[];
  readonly missing: Descriptor[];
  /** Bytes are stored under the digest, and are others. */
  readonly damaged: Digest[];
  /** Parts that are too many to be looked for. */
  readonly unlooked: number;
  /** Manifests that are too many to be read: what they list is not among the parts. */
  readonly unread: number;
}

/** What to do about a store that fails. */
export const mendStore = {
  steps: [
    'see /statusz of the admin port, and quayside config check --deep; until it is mended pulls go past the store',
  ],
  who: 'an operator of Quayside',
};

/** What the store failed at comes first: what it holds may then not be told, or not be kept. */
export async function contentStep(seen: SeenCase): Promise<Finding> {
  const { where, trouble } = seen.sources.content;
  const known = trouble?.();
  try {
    const finding = await storedContent(seen);
    if (known === undefined || finding.mark === 'wrong') return finding;
    return {
      ...finding,
      mark: 'wrong',
      found: [known.text, ...finding.found],
      at: known.at,
      next: mendStore,
      isInternal: true,
    };
  } catch (error) {
    const why = error instanceof Error ? scrubbed(error.message) : 'an unknown failure';
    return {
      mark: 'wrong',
      found: [known?.text ?? `the store cannot be read: ${why}`],
      where,
      next: mendStore,
      isInternal: true,
    };
  }
}

/** The manifest and each blob: in the store, or still to come from the upstream. */
async function storedContent(seen: SeenCase): Promise<Finding> {
  const { sources } = seen;
  const { digest, answer } = seen.seen;
  const { where, isReadable } = sources.content;
  const { upstream } = seen.place;
  if (digest === undefined) return untold('no digest is known to look for', { where });
  if (!isReadable)
    return untold('a store in memory can be looked at by its own server alone: --admin URL', { where });
  const stored = await sources.content.stat(digest);
  if (stored !== undefined && stored > maxManifestBytes)
    return { mark: 'ok', found: [`the blob ${digest} is here, ${bytesText(stored)}`], where };
  const bytes = stored === undefined ? undefined : await sources.content.read(digest);
  if (bytes === undefined) return notStored(seen, digest);
  if (!isNamedBy(digest, bytes)) return damaged(digest, where);
  const manifest = manifestOf(bytes);
  if (manifest === undefined)
    return { mark: 'ok', found: [`the blob ${digest} is here, ${bytesText(bytes.byteLength)}`], where };
  const inventory = await inventoryOf(seen, manifest);
  const { here, missing, unlooked, unread } = inventory;
  const [broken] = inventory.damaged;
  if (broken !== undefined) return damaged(broken, where);
  const size = here.reduce((sum, blob) => sum + Math.max(0, blob.size), bytes.byteLength);
  const all = here.length + missing.length + unlooked;
  const lines = [
    `manifest ${digest} is here; ${here.length} of ${all} parts are here, ${bytesText(size)}`,
    ...missing.slice(0, mostAsked).map((blob) => `not here: ${blob.digest}, ${bytesText(blob.size)}`),
    ...(missing.length > mostAsked ? [`and ${missing.length - mostAsked} more`] : []),
    ...(unlooked > 0 ? [`${unlooked} of them were not looked for: they are too many`] : []),
    ...(unread > 0 ? [`what ${unread} further manifests list was not looked for`] : []),
  ];
  const isWhole = unlooked === 0 && unread === 0;
  if (missing.length === 0) return { mark: isWhole ? 'ok' : 'unknown', found: lines, where };
  const isAsked = answer.kind !== 'failed' && answer.kind !== 'foreign';
  const finding = await missingParts(seen, { missing, lines, isAsked, upstream });
  return finding.mark === 'ok' && !isWhole ? { ...finding, mark: 'unknown' } : finding;
}

interface MissingParts {
  readonly missing: readonly Descriptor[];
  readonly lines: readonly string[];
  readonly isAsked: boolean;
  readonly upstream: string;
}

async function missingParts(
  seen: SeenCase,
  { missing, lines, isAsked, upstream }: MissingParts,
): Promise<Finding> {
  const { where } = seen.sources.content;
  if (!isAsked) {
    const words = `${upstream} does not answer, so they cannot be fetched: see upstream`;
    return { mark: 'unknown', found: [...lines, words], where };
  }
  const answers = await Promise.all(
    missing.slice(0, mostAsked).map(async (blob) => ({ blob, answer: await partAt(seen, blob) })),
  );
  const gone = answers.filter(({ answer }) => answer.kind === 'absent');
  const [first] = gone;
  if (first !== undefined && seen.seen.lender === undefined)
    return {
      mark: 'wrong',
      found: [...lines, `${upstream} has no ${first.blob.digest}`],
      where,
      next: {
        steps: ['the image is broken at its source: build it and push or promote it again'],
        who: 'the owner of the image',
      },
    };
  const isKnown = answers.every(({ answer }) => answer.kind === 'found');
  const isAll = missing.length <= mostAsked;
  const words = isKnown
    ? `${upstream} has ${isAll ? 'them' : `the ${answers.length} that were asked for`}: the next pull fetches them`
    : 'whether the upstream has all of them is not known';
  return { mark: isKnown ? 'ok' : 'unknown', found: [...lines, words], where };
}

function partAt({ sources, place }: SeenCase, blob: Descriptor): Promise<ProbeAnswer> {
  const isManifest = blob.mediaType !== undefined && /manifest|index/.test(blob.mediaType);
  return isManifest
    ? sources.probes.manifest(place, { digest: blob.digest })
    : sources.probes.blob(place, blob.digest);
}

const partsUnlooked = 'its parts were not looked at: nothing here says which they are';

async function notStored({ seen, place, sources }: SeenCase, digest: Digest): Promise<Finding> {
  const { where } = sources.content;
  const { lender } = seen;
  // The answer may be about another manifest that the tag names by now.
  const isOfAnother = seen.answer.kind === 'found' && seen.answer.digest !== digest;
  const answer = isOfAnother ? await sources.probes.manifest(place, { digest }) : seen.answer;
  const line = `${digest} is not here`;
  if (lender !== undefined)
    return {
      mark: 'ok',
      found: [line, `the next pull fetches it from ${lender.name}`, partsUnlooked],
      where,
    };
  if (answer.kind === 'found')
    return {
      mark: 'ok',
      found: [line, `the next pull fetches it from ${place.upstream}`, partsUnlooked],
      where,
    };
  if (answer.kind !== 'absent')
    return { mark: 'unknown', found: [line, `${place.upstream} could not be asked for it`], where };
  const next = {
    steps: ['push the image again, or see the steps mirror and maker'],
    who: 'the owner of the image',
  };
  return { mark: 'wrong', found: [`${line}, nor at ${place.upstream}`], where, next };
}

function damaged(digest: Digest, where: string): Finding {
  return {
    mark: 'wrong',
    found: [`the stored bytes of ${digest} do not match it`],
    where,
    next: {
      steps: ['pull it once: a damaged copy is replaced; if it recurs, check the medium'],
      who: 'an operator of Quayside',
    },
  };
}

function manifestOf(bytes: Uint8Array): Manifest | undefined {
  try {
    return parseManifest(bytes, undefined);
  } catch {
    return undefined;
  }
}

/** Looks for config, layers and children, and for what is below these. */
async function inventoryOf({ sources }: SeenCase, manifest: Manifest): Promise<ContentInventory> {
  const wanted = new Map<Digest, Descriptor>();
  const children = new Map<Digest, Descriptor>();
  const add = ({ blobs, children: listed }: Manifest): void => {
    for (const part of [...blobs, ...listed]) wanted.set(part.digest, part);
    for (const child of listed) children.set(child.digest, child);
  };
  add(manifest);
  const [here, missing, damaged]: [Descriptor[], Descriptor[], Digest[]] = [[], [], []];
  let read = 0;
  // A map hands out what is added while it is gone through.
  for (const { digest, size } of children.values()) {
    if (read === mostChildren) break;
    read += 1;
    const bytes = size > maxManifestBytes ? undefined : await sources.content.read(digest);
    if (bytes === undefined) continue;
    const isWhole = isNamedBy(digest, bytes);
    const below = isWhole ? manifestOf(bytes) : undefined;
    if (below !== undefined) add(below);
    if (!isWhole) damaged.push(digest);
  }
  const parts = [...wanted.values()];
  await concurrently(parts.slice(0, mostBlobs), looksAtOnce, async (blob) => {
    const size = await sources.content.stat(blob.digest);
    if (size === undefined) missing.push(blob);
    else here.push({ ...blob, size });
  });
  const unlooked = Math.max(0, parts.length - mostBlobs);
  return { here, missing, damaged, unlooked, unread: children.size - read };
}
