import {
  type ImageReference,
  parseImageReference,
  taggedImage,
} from '../../mirror/references/image-reference.ts';
import { qci, qciProxy } from '../../mirror/references/names.ts';
import { RegistryError } from '../../oci/errors.ts';
import { isTag, type Tag } from '../../oci/reference.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { endText } from '../mirror/hold.ts';
import { revertFlags } from '../pages/holds.ts';

/** What a command line of `quayside revert` asks for. */
export interface RevertOptions {
  /** With a tag. */
  readonly image: ImageReference;
  readonly tag: Tag;
  /** 1 is the newest. */
  readonly version: number;
  readonly confirm: boolean;
  readonly hasHold: boolean;
  readonly until: string | undefined;
  readonly why: string | undefined;
  readonly config: string | undefined;
  readonly admin: string | undefined;
  readonly tokenFile: string | undefined;
  readonly registryConfig: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly insecure: boolean;
  readonly json: boolean;
}

/** Reads the command line. Throws `UsageError`. */
export function parseRevertFlags(args: readonly string[]): RevertOptions {
  const { values, words } = parseFlags(revertFlags, args);
  const [word, ...others] = words;
  if (word === undefined || others.length > 0) throw new UsageError('takes one TAG, such as ocp_4.20_cli');
  const hasHold = values['no-hold'] !== true;
  if (!hasHold && (values.until ?? values.why ?? values.admin) !== undefined)
    throw new UsageError('--until, --why and --admin are for a hold, and --no-hold sets none');
  return {
    ...imageIn(word),
    version: values.version,
    confirm: values.confirm === true,
    hasHold,
    until: values.until === undefined ? undefined : endText(values.until),
    why: values.why,
    config: values.config,
    admin: values.admin,
    tokenFile: values['token-file'],
    registryConfig: values['registry-config'],
    certificateAuthority: values['certificate-authority'],
    insecure: values.insecure === true,
    json: values.output === 'json',
  };
}

/** A flat tag, `namespace/name:tag`, or an image of a registry; the proxy of QCI stands for QCI. */
function imageIn(word: string): Pick<RevertOptions, 'image' | 'tag'> {
  const [first = ''] = word.split('/', 1);
  const hasHost = word.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const written = hasHost ? word : `${qci}:${word.replaceAll(/[/:]/g, '_')}`;
  const { registry, repository, reference } = parsed(written, word);
  const { tag } = reference;
  if (reference.digest !== undefined || !isTag(tag) || !isNamed(word, hasHost))
    throw new UsageError(`${word} is no tag: write TAG, NAMESPACE/NAME:TAG or REGISTRY/REPOSITORY:TAG`);
  const place = `${registry}/${repository}` === qciProxy ? qciPlace : { registry, repository };
  return { image: taggedImage(place.registry, place.repository, tag), tag };
}

const qciPlace = parseImageReference(qci);

/** Without a host a word has both separators or none; with one it says its tag. */
function isNamed(word: string, hasHost: boolean): boolean {
  const path = word.split('/').length;
  const hasTag = word.lastIndexOf(':') > word.lastIndexOf('/');
  return hasHost ? hasTag : (path === 1 && !hasTag) || (path === 2 && hasTag);
}

function parsed(text: string, word: string): ImageReference {
  try {
    return parseImageReference(text);
  } catch (error) {
    if (error instanceof RegistryError) throw new UsageError(`${word}: ${error.message}`, { cause: error });
    throw error;
  }
}
