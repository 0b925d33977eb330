import type { Expression } from '../../base/text/expression.ts';
import { isMany } from '../../mirror/batch/mapping.ts';
import { type PullSpec, parsePullSpec } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { infoFlags } from '../pages/image.ts';

/** What a command line of `quayside image info` asks for. */
export interface InfoOptions {
  /** With a tag, a digest, or a glob for tags. */
  readonly images: readonly PullSpec[];
  readonly config: string | undefined;
  readonly registryConfig: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly insecure: boolean;
  readonly dir: string;
  readonly filterByOs: Expression | undefined;
  readonly everyImage: boolean;
  readonly referrers: boolean;
  readonly json: boolean;
}

/** Reads the command line. Throws `UsageError`. */
export function parseInfoFlags(args: readonly string[]): InfoOptions {
  const { values, words } = parseFlags(infoFlags, args);
  if (values['icsp-file'] !== undefined)
    throw new UsageError('--icsp-file is refused: name the mirror in REF, or its address by --config');
  if (words.length === 0) throw new UsageError('needs at least one REF, an image pull spec');
  return {
    images: words.map(imageIn),
    config: values.config,
    registryConfig: values['registry-config'],
    certificateAuthority: values['certificate-authority'],
    insecure: values.insecure === true,
    dir: values.dir,
    filterByOs: values['filter-by-os'],
    everyImage: values['show-multiarch'] === true,
    referrers: values['skip-referrers'] !== true,
    json: values.output === 'json',
  };
}

function imageIn(text: string): PullSpec {
  const spec = specIn(text);
  if (isMany(spec) && spec.glob === undefined)
    throw new UsageError(`${text} has neither tag nor digest: write ${text}:TAG, or ${text}:* for every tag`);
  return spec;
}

function specIn(text: string): PullSpec {
  try {
    return parsePullSpec(text);
  } catch (error) {
    if (error instanceof RegistryError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
