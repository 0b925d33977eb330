import { Semaphore } from '../../base/flow/semaphore.ts';
import { type Descriptor, isWrongContent } from '../../oci/content.ts';
import { type Digest, digester, isMatch } from '../../oci/digest.ts';
import { type Reference, type Repository, referenceText } from '../../oci/reference.ts';
import type { ManifestBytes } from '../endpoints/endpoints.ts';
import type { HeldPlace } from '../endpoints/image-directory.ts';
import { isCertain, whyUnread } from './gaps.ts';

/** What is not as it should be, or is not known to be. */
export interface InspectionFault {
  readonly state: 'missing' | 'differs' | 'cannot tell';
  readonly reason: string;
}

/** A place of images that is judged. No method rejects but when aborted. */
export interface Holding {
  /** What is stated of the manifest. */
  stat(repository: Repository, reference: Reference): Promise<Descriptor | InspectionFault>;
  /** The manifest, its bytes compared with its digest. */
  manifest(repository: Repository, digest: Digest): Promise<ManifestBytes | InspectionFault>;
  /** What is wrong with a blob; undefined for a good one. Each is asked for once. */
  blob(repository: Repository, descriptor: Descriptor): Promise<InspectionFault | undefined>;
}

interface HoldingOptions {
  /** Reads blobs of registries too. Files are always read. */
  readonly deep: boolean;
  /** Questions and reads at a time. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
}

export function isFault(value: object | undefined): value is InspectionFault {
  return value !== undefined && 'state' in value;
}

/** See `Holding`. Remembers what it found out of each blob. */
export function createHolding(place: HeldPlace, { deep, atOnce, signal }: HoldingOptions): Holding {
  const turns = new Semaphore({ permits: atOnce });
  const blobs = new Map<string, Promise<number | InspectionFault>>();

  async function asked<T>(
    what: string,
    ask: () => Promise<T | InspectionFault>,
  ): Promise<T | InspectionFault> {
    try {
      return await turns.run(ask, signal);
    } catch (error) {
      signal.throwIfAborted();
      return { state: stateOf(error), reason: `${what}: ${whyUnread(error)}` };
    }
  }

  /** A damaged file is there, and is not what it should be. */
  async function absent(
    what: string,
    repository: Repository,
    reference: Reference,
  ): Promise<InspectionFault> {
    const file = await place.fileOf?.(repository, reference);
    if (file === undefined) return { state: 'missing', reason: `${what} is not there` };
    return { state: 'differs', reason: `${file} does not hold what its name says` };
  }

  async function found(
    method: 'GET' | 'HEAD',
    repository: Repository,
    reference: Reference,
  ): Promise<
    { readonly descriptor: ManifestBytes['descriptor']; readonly bytes?: Uint8Array } | InspectionFault
  > {
    const what = `manifest ${referenceText(reference)}`;
    return asked(what, async () => {
      const answer = await place.manifest(repository, reference, { method, signal });
      return answer.kind === 'found' ? answer : absent(what, repository, reference);
    });
  }

  /** The blob's size. Of a directory it is known only once the file was read. */
  function sizeOf(repository: Repository, digest: Digest): Promise<number | InspectionFault> {
    const key = `${repository} ${digest}`;
    const begun = blobs.get(key) ?? sizeAsked(repository, digest);
    blobs.set(key, begun);
    return begun;
  }

  async function sizeAsked(repository: Repository, digest: Digest): Promise<number | InspectionFault> {
    const what = `blob ${digest}`;
    return asked(what, async () => {
      if (deep && place.fileOf === undefined) return readWhole(place, repository, digest, signal);
      const stated = await place.statBlob(repository, digest, { signal });
      return stated?.size ?? absent(what, repository, { digest });
    });
  }

  return {
    async stat(repository, reference) {
      const answer = await found('HEAD', repository, reference);
      return isFault(answer) ? answer : answer.descriptor;
    },
    async manifest(repository, digest) {
      const answer = await found('GET', repository, { digest });
      if (isFault(answer)) return answer;
      const { descriptor, bytes } = answer;
      if (bytes !== undefined) return { descriptor, bytes };
      return { state: 'cannot tell', reason: `manifest ${digest}: no bytes came` };
    },
    async blob(repository, { digest, size }) {
      const actual = await sizeOf(repository, digest);
      if (typeof actual !== 'number') return actual;
      if (size < 0 || actual === size) return undefined;
      const reason = `blob ${digest} has ${actual} bytes, and its manifest states ${size}`;
      return { state: 'differs', reason };
    },
  };
}

/** Wrong content has the code of an invalid answer; the other certain errors say what is absent. */
function stateOf(error: unknown): InspectionFault['state'] {
  if (!isCertain(error)) return 'cannot tell';
  return isWrongContent(error) ? 'differs' : 'missing';
}

async function readWhole(
  place: HeldPlace,
  repository: Repository,
  digest: Digest,
  signal: AbortSignal,
): Promise<number | InspectionFault> {
  const blob = await place.openBlob(repository, digest, { signal });
  if (blob === undefined) return { state: 'missing', reason: `blob ${digest} is not there` };
  const hash = digester(digest);
  let size = 0;
  try {
    for await (const chunk of blob.body) {
      hash.update(chunk);
      size += chunk.byteLength;
    }
  } finally {
    blob.close();
  }
  if (isMatch(hash, digest)) return size;
  return { state: 'differs', reason: `blob ${digest} holds other bytes than its digest names` };
}
