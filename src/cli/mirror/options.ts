import { arch } from 'node:os';
import { Expression } from '../../base/text/expression.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { mirrorFlags } from '../pages/mirror.ts';

/** What a command line of `quayside mirror` asks for. */
export interface MirrorOptions {
  /** `SRC=DST…` or `SRC DST…` */
  readonly words: readonly string[];
  /** Mapping files; `-` is standard input. */
  readonly files: readonly string[];
  readonly registryConfig: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly insecure: boolean;
  readonly filterByOs: Expression | undefined;
  readonly keepManifestList: boolean;
  /** Whether the images of a list are told as the list is. */
  readonly listsChildren: boolean;
  readonly allTags: boolean;
  readonly referrers: boolean;
  /** Also those that a promotion stages or keeps, to `DST:*`. */
  readonly stagingTags: boolean;
  readonly maxPerRegistry: number;
  readonly maxRegistry: number;
  /** To each registry, to read and to write together. Undefined: as many as it takes. */
  readonly requestsPerSecond: number | undefined;
  readonly dryRun: boolean;
  /** Of a dry run: whether what is left to copy is a failure. */
  readonly exitCode: boolean;
  readonly continueOnError: boolean;
  readonly skipMissing: boolean;
  readonly skipMount: boolean;
  readonly force: boolean;
  /** Layers with `urls` of their own: left there, or copied as oc does. */
  readonly foreignLayers: 'skip' | 'copy';
  /** Where `file://` destinations lie, and sources unless `fromDir` says otherwise. */
  readonly dir: string;
  readonly fromDir: string;
  readonly json: boolean;
  readonly failedFile: string | undefined;
  /** Other names of registries, to which they may lead uploads. */
  readonly uploadHosts: readonly string[];
}

/** Reads the flags. Throws `UsageError`. */
export function parseMirrorFlags(args: readonly string[]): MirrorOptions {
  return mirrorOptions(parseFlags(mirrorFlags, args));
}

/** What the flags ask for. Throws `UsageError` for those that are refused. */
export function mirrorOptions({
  values,
  words,
}: ReturnType<typeof parseFlags<typeof mirrorFlags>>): MirrorOptions {
  if (values['skip-verification'] === true)
    throw new UsageError('--skip-verification is refused: nothing is copied whose digest was not checked');
  if (values['s3-source-bucket'].length > 0)
    throw new UsageError('--s3-source-bucket is refused: buckets are no source and no destination here');
  if (values['exit-code'] === true && values['dry-run'] !== true)
    throw new UsageError(
      '--exit-code is for --dry-run: without it the exit code says whether all was copied',
    );
  return {
    words,
    files: values.filename.flatMap((names) => names.split(',')),
    registryConfig: values['registry-config'],
    certificateAuthority: values['certificate-authority'],
    insecure: values.insecure === true,
    ...platforms(values['filter-by-os'], values['keep-manifest-list']),
    listsChildren: values['keep-manifest-list'] === true,
    allTags: values['all-tags'] === true,
    referrers: values.referrers === true,
    stagingTags: values['staging-tags'] === true,
    maxPerRegistry: values['max-per-registry'],
    maxRegistry: values['max-registry'],
    requestsPerSecond: values['requests-per-second'],
    dryRun: values['dry-run'] === true,
    exitCode: values['exit-code'] === true,
    continueOnError: values['continue-on-error'] === true,
    skipMissing: values['skip-missing'] === true,
    skipMount: values['skip-mount'] === true,
    force: values.force === true,
    foreignLayers: values['foreign-layers'],
    dir: values.dir,
    fromDir: values['from-dir'] ?? values.dir,
    json: values.output === 'json',
    failedFile: values['failed-file'],
    uploadHosts: values['upload-host'].flat(),
  };
}

/**
 * Lists are kept unless a filter leaves images out, as many registries refuse a list over missing
 * images. Without list and filter, this machine's architecture is copied, as by oc.
 */
function platforms(
  filter: Expression | undefined,
  isKept: boolean | undefined,
): Pick<MirrorOptions, 'filterByOs' | 'keepManifestList'> {
  if (filter?.source === '.*' || (filter === undefined && isKept !== false))
    return { filterByOs: undefined, keepManifestList: true };
  const machine = arch() === 'x64' ? 'amd64' : arch();
  return {
    filterByOs: filter ?? Expression.anywhere(`^linux/${machine}(/|$)`),
    keepManifestList: isKept === true,
  };
}
