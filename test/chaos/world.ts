import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { patterned } from '../support/registry-contents.ts';
import type { RegistryDouble } from '../support/registry-double.ts';
import type { Random } from './random.ts';

/** Content that the upstream has in one repository. */
export interface Piece {
  readonly kind: 'manifests' | 'blobs';
  readonly repository: string;
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** A tag, and all that it has meant, the oldest first. */
export interface MovingTag {
  readonly repository: string;
  readonly tag: string;
  readonly meanings: Piece[];
}

/** All that the upstream has, as the test knows it. */
export interface World {
  readonly pieces: readonly Piece[];
  readonly tags: readonly MovingTag[];
  /** Content of one repository that another does not have. */
  readonly foreign: readonly Piece[];
  /** Gives one tag a meaning that it never had. */
  move(random: Random): void;
}

const repositories = ['openshift/ci', 'team/tools'] as const;
/** None, one byte, in memory, in one small buffer, in several, larger than the whole spool. */
const layerSizes = [0, 1, 700, 20_000, 60_000, 200_000, 450_000, 1_500_000] as const;
const blobType = 'application/octet-stream';

/** Fills the registry. */
export function madeWorld(double: RegistryDouble): World {
  const pieces: Piece[] = [];
  const tags: MovingTag[] = [];

  function image(repository: string, tag: string, layers: readonly number[]): Piece {
    const made = double.addImage(repository, tag, { layers });
    const blobs = made.layers.map((layer) => piece('blobs', repository, layer.bytes, blobType));
    const manifest = piece('manifests', repository, made.manifest, mediaTypes.ociManifest);
    pieces.push(manifest, ...blobs);
    return manifest;
  }

  function index(repository: string, tag: string, children: readonly Piece[]): Piece {
    const manifests = children.map(({ digest, bytes, mediaType }) => ({
      mediaType,
      digest,
      size: bytes.length,
    }));
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }),
    );
    double.addManifest(repository, bytes, mediaTypes.ociIndex, tag);
    const made = piece('manifests', repository, bytes, mediaTypes.ociIndex);
    pieces.push(made);
    return made;
  }

  for (const repository of repositories) {
    const small = image(repository, `small-${repository.length}`, layerSizes.slice(0, 4));
    const large = image(repository, `large-${repository.length}`, layerSizes.slice(4));
    const both = index(repository, 'both', [small, large]);
    tags.push({ repository, tag: `small-${repository.length}`, meanings: [small] });
    tags.push({ repository, tag: `large-${repository.length}`, meanings: [large] });
    tags.push({ repository, tag: 'both', meanings: [both] });
    for (const tag of ['latest', 'nightly'])
      tags.push({ repository, tag, meanings: [image(repository, tag, [repository.length * 1_000])] });
    const shared = patterned(120_000, 'in both');
    double.addBlob(repository, shared);
    pieces.push(piece('blobs', repository, shared, blobType));
  }

  const isElsewhere = (one: Piece) =>
    pieces.some(({ digest, repository }) => digest === one.digest && repository !== one.repository);
  return {
    pieces,
    tags,
    get foreign() {
      return pieces.filter((one) => !isElsewhere(one));
    },
    move(random) {
      const moving = random.pick(tags.filter(({ tag }) => tag === 'latest' || tag === 'nightly'));
      moving.meanings.push(
        image(moving.repository, moving.tag, [moving.repository.length * 1_000 + moving.meanings.length]),
      );
    },
  };
}

/** Another repository than the piece's. */
export function otherThan(repository: string): string {
  return repositories.find((one) => one !== repository) ?? repository;
}

function piece(kind: Piece['kind'], repository: string, bytes: Buffer, mediaType: string): Piece {
  return { kind, repository, digest: digestOf(bytes), bytes, mediaType };
}
