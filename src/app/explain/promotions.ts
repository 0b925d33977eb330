import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { concurrently } from '../../base/flow/each.ts';
import { createLru } from '../../base/state/lru.ts';
import { field, fieldsOf, textOf } from '../../base/text/json.ts';
import type { ExplainSources, Promotion } from '../../explain/sources.ts';
import { type ImageStreamTag, imageStreamTagText } from '../../image-streams/image-stream-tag.ts';
import { parseLocatedYaml } from '../../mirror/ci/located-yaml.ts';
import { promotedTags } from '../../mirror/test-inputs/promotion.ts';

const configFolder = 'ci-operator/config';
const readAtATime = 8;
const keepMs = 300_000;
const mostKept = 200;
const cacheNamespace = 'build-cache';

/**
 * Who promotes a tag by a checkout of openshift/release. Reads every configuration of ci-operator
 * as text, and parses those that hold the tag's names: about 2 s for all of CI.
 */
export function createMaker(folder: string): NonNullable<ExplainSources['maker']> {
  const known = createLru<string, readonly Promotion[]>(mostKept, { keepMs });
  return {
    where: join(folder, configFolder),
    async find(tag) {
      const key = imageStreamTagText(tag);
      const found = known.get(key) ?? (await promotionsOf(folder, tag));
      known.set(key, found);
      return found;
    },
  };
}

async function promotionsOf(folder: string, tag: ImageStreamTag): Promise<readonly Promotion[]> {
  const root = join(folder, configFolder);
  const names = await readdir(root, { recursive: true });
  const wanted = imageStreamTagText(tag);
  const found: Promotion[] = [];
  await concurrently(
    names.filter((name) => /\.ya?ml$/.test(name)),
    readAtATime,
    async (name) => {
      const bytes = await readFile(join(root, name));
      if (!mayPromote(bytes, tag)) return;
      const config = parsedOrNone(bytes);
      if (config === undefined || !promotedTags(config).includes(wanted)) return;
      found.push(promotionOf(name, config));
    },
  );
  return found.sort((one, other) => (one.file < other.file ? -1 : 1));
}

/**
 * Whether the text may promote the tag: it builds an image of that name, as all configurations are
 * written alike by a tool. A build cache has its names from its repository.
 */
function mayPromote(bytes: Buffer, { namespace, name, tag }: ImageStreamTag): boolean {
  if (!bytes.includes('promotion')) return false;
  if (namespace === cacheNamespace) return bytes.includes('binary_build_commands');
  if (![namespace, name, tag].every((word) => bytes.includes(word))) return false;
  const hasMore = bytes.includes('additional_images');
  return [name, tag].some((image) => builds(bytes, image) || (hasMore && bytes.includes(`${image}:`)));
}

function builds(bytes: Buffer, image: string): boolean {
  return [image, `"${image}"`, `'${image}'`].some((word) => bytes.includes(`to: ${word}`));
}

function parsedOrNone(bytes: Buffer) {
  try {
    return fieldsOf(parseLocatedYaml(bytes).data);
  } catch {
    return undefined;
  }
}

/** By its metadata, else by the file's name: `ORG-REPO-BRANCH[__VARIANT].yaml` in `ORG/REPO`. */
function promotionOf(name: string, config: object): Promotion {
  const metadata = field(config, 'zz_generated_metadata');
  const [folderOrg = '', folderRepo = '', file = ''] = name.split('/');
  const [written = '', variantInName] = file.replace(/\.ya?ml$/, '').split('__');
  const org = textOf(field(metadata, 'org')) ?? folderOrg;
  const repo = textOf(field(metadata, 'repo')) ?? folderRepo;
  const branch = textOf(field(metadata, 'branch')) ?? written.slice(`${org}-${repo}-`.length);
  const variant = textOf(field(metadata, 'variant')) ?? variantInName;
  const ends = variant === undefined ? ['', ''] : [`__${variant}`, `${variant}-`];
  return {
    config: `${org}/${repo}@${branch}${ends[0]}`,
    file: join(configFolder, name),
    job: `branch-ci-${org}-${repo}-${branch}-${ends[1]}images`,
  };
}
