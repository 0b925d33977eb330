import { parseBoolean } from '../../cli/flags/flag-table.ts';
import type { FaultPath } from '../../config/faults.ts';
import { parseGoDuration } from './go-duration.ts';
import { ambient, type Complaint, type GoFlags, type GoFlagTable, isOn, parseGoFlags } from './go-flags.ts';

/** The cluster of the program `ci-images-mirror`, which had no name for it. */
export const cluster = 'app.ci';

const controllers = ['quay_io_ci_images_distributor'];
const mirror = (...keys: string[]): FaultPath => ['mirror', ...keys];
const streams = (key: string): FaultPath => mirror('imageStreams', key);
const distributor = 'quayIOCIImagesDistributorOptions';

const flags = {
  'leader-election-namespace': { default: 'ci', places: [mirror('lease', 'namespace')] },
  'leader-election-suffix': { places: [mirror('lease', 'name')], read: (text) => `ci-image-mirror${text}` },
  'enable-controller': { isList: true, places: [] },
  'dry-run': { isSwitch: true, default: 'false', places: [mirror('dryRun')], read: parseBoolean },
  'release-repo-git-sync-path': { places: [streams('releaseRepo')] },
  config: { places: [mirror('configFile')] },
  'registry-config': { isRequired: true, places: [mirror('authFile')] },
  [`${distributor}.additional-image-stream-tag`]: { isList: true, places: [streams('additionalTags')] },
  [`${distributor}.additional-image-stream`]: { isList: true, places: [streams('additionalStreams')] },
  [`${distributor}.additional-image-stream-namespace`]: {
    isList: true,
    places: [streams('additionalNamespaces')],
  },
  [`${distributor}.ignore-image-stream-tag`]: { isList: true, places: [streams('ignoredTags')] },
  port: { default: '8090', places: [mirror('listen')], read: everyAddress },
  gracePeriod: { default: '10s', places: [['shutdownGraceMs']], read: parseGoDuration },
  'only-valid-manifest-v2-images': {
    isSwitch: true,
    default: 'true',
    places: [streams('onlyValidManifestV2Images')],
    read: parseBoolean,
  },
  'validate-config-only': { isSwitch: true, default: 'false', places: [], read: parseBoolean },
  kubeconfig: { places: [['clusters', cluster, 'kubeconfigFile']] },
  settings: { places: [] },
  'print-config': { isSwitch: true, places: [] },
} satisfies GoFlagTable;

/**
 * The settings of a command line of `ci-images-mirror`, or its faults, in its words. `KUBECONFIG`
 * is the default of `--kubeconfig` and a file. Throws `UsageError` for an unknown flag.
 */
export function parseMirrorServeFlags(args: readonly string[], kubeconfig: string | undefined): GoFlags {
  const parsed = parseGoFlags({ ...flags, kubeconfig: ambient(flags.kubeconfig, kubeconfig) }, args);
  const { written } = parsed;
  const named = written.get('enable-controller') ?? [];
  const unknown = named.filter((name) => !controllers.includes(name));
  const isWatching = named.length > 0 && unknown.length === 0;
  const watch = { flag: '--enable-controller', place: streams('watch'), value: true };
  return {
    ...parsed,
    given: isWatching ? [...parsed.given, watch] : parsed.given,
    complaints: [...parsed.complaints, ...complaints(written, unknown)],
  };
}

function complaints(written: GoFlags['written'], unknown: readonly string[]): Complaint[] {
  return [
    ...(unknown.length === 0
      ? []
      : [
          {
            flag: '--enable-controller',
            message: `the following controllers are unknown: [${unknown.join(' ')}]`,
          },
        ]),
    ...(written.has('leader-election-suffix') && !isOn({ written }, 'dry-run')
      ? [{ flag: '--leader-election-suffix', message: 'can only be set together with --dry-run' }]
      : []),
  ];
}

function everyAddress(port: string): string {
  if (!/^\d{1,5}$/.test(port)) throw new Error('must be a port');
  return `0.0.0.0:${port}`;
}
