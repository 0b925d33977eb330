import { parseGoDuration } from '../../base/text/go-duration.ts';
import { parseBoolean } from '../../cli/flags/values.ts';
import type { FaultPath } from '../../config/faults.ts';
import { ambient, type Complaint, type GoFlags, type GoFlagTable, isOn, parseGoFlags } from './go-flags.ts';
import { ours, ownFlags } from './own-flags.ts';

/** The cluster of the program `ci-images-mirror`, which had no name for it. */
export const cluster = 'app.ci';

const controllers = ['quay_io_ci_images_distributor'];
const mirror = (...keys: string[]): FaultPath => ['mirror', ...keys];
const streams = (key: string): FaultPath => mirror('imageStreams', key);
const distributor = 'quayIOCIImagesDistributorOptions';

export const mirrorServeFlags = {
  config: {
    places: [mirror('configFile')],
    value: 'FILE',
    help: "the image mirroring's _config.yaml, processed every hour and when it changes; without it none",
  },
  'registry-config': {
    isRequired: true,
    places: [mirror('authFile')],
    value: 'FILE',
    help: 'required; logins for reading and writing, a docker or podman auth file',
  },
  'leader-election-namespace': {
    default: 'ci',
    places: [mirror('lease', 'namespace')],
    value: 'NAME',
    help: 'where the Lease is that the process that works holds',
  },
  'leader-election-suffix': {
    places: [mirror('lease', 'name')],
    read: (text) => `ci-image-mirror${text}`,
    value: 'TEXT',
    help: 'behind the name of that Lease; only with --dry-run',
  },
  'enable-controller': {
    isList: true,
    places: [],
    value: 'NAME',
    words: controllers,
    help: 'quay_io_ci_images_distributor watches the image streams; without it none',
  },
  'dry-run': {
    isSwitch: true,
    default: 'false',
    places: [mirror('dryRun')],
    read: parseBoolean,
    help: 'copy nothing',
  },
  port: {
    default: '8090',
    places: [mirror('listen')],
    read: everyAddress,
    value: 'PORT',
    help: "the address of the queue's API",
  },
  gracePeriod: {
    default: '10s',
    places: [['shutdownGraceMs']],
    read: parseGoDuration,
    value: 'DURATION',
    help: 'for copies under way at SIGTERM',
  },
  'only-valid-manifest-v2-images': {
    isSwitch: true,
    default: 'true',
    places: [streams('onlyValidManifestV2Images')],
    read: parseBoolean,
    help: 'mirror no images of Docker schema 1',
  },
  [`${distributor}.additional-image-stream-tag`]: {
    isList: true,
    places: [streams('additionalTags')],
    value: 'NAMESPACE/NAME:TAG',
    help: 'mirrored too',
  },
  [`${distributor}.additional-image-stream`]: {
    isList: true,
    places: [streams('additionalStreams')],
    value: 'NAMESPACE/NAME',
    help: 'all its tags are mirrored too',
  },
  [`${distributor}.additional-image-stream-namespace`]: {
    isList: true,
    places: [streams('additionalNamespaces')],
    value: 'NAMESPACE',
    help: 'all tags of its streams are mirrored too',
  },
  [`${distributor}.ignore-image-stream-tag`]: {
    isList: true,
    places: [streams('ignoredTags')],
    value: 'NAMESPACE/NAME:TAG',
    help: 'is not mirrored',
  },
  'validate-config-only': {
    isSwitch: true,
    default: 'false',
    places: [],
    read: parseBoolean,
    help: 'prints objections to --config and exits; in a checkout, to what is new in it',
  },
  'release-repo-git-sync-path': {
    places: [streams('releaseRepo')],
    value: 'DIR',
    help: 'a checkout of openshift/release: the controller mirrors what its tests use; without it none',
  },
  kubeconfig: {
    places: [['clusters', cluster, 'kubeconfigFile']],
    value: 'FILE',
    ...ours,
    help: 'the cluster app.ci; without it $KUBECONFIG, then the cluster it runs in',
  },
  settings: { places: [], value: 'FILE', ...ours, help: 'more settings, YAML; a flag wins over them' },
  ...ownFlags,
} satisfies GoFlagTable;

/**
 * The settings of a command line of `ci-images-mirror`, or its faults, in its words. `KUBECONFIG`
 * is the default of `--kubeconfig` and a file. Throws `UsageError` for an unknown flag.
 */
export function parseMirrorServeFlags(args: readonly string[], kubeconfig: string | undefined): GoFlags {
  const parsed = parseGoFlags(
    { ...mirrorServeFlags, kubeconfig: ambient(mirrorServeFlags.kubeconfig, kubeconfig) },
    args,
  );
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
