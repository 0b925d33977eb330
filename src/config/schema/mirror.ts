import Type from 'typebox';
import { closed, count, file, listenOrNone, ms, oneOf, section, text, wholePattern } from './leaves.ts';

/** The lease of the working process, where several have the same task. Default: in the store. */
const lease = closed({
  /** The cluster that keeps a Lease (`coordination.k8s.io/v1`); a name under `clusters`. */
  cluster: text(),
  /** The namespace of the Lease. Default `ci`. */
  namespace: text({ default: 'ci' }),
  /** The name of the Lease. Default `ci-image-mirror`. */
  name: text({ default: 'ci-image-mirror' }),
});

/** Where a missed image is looked for: one place, or a preset that knows the place. */
const missSource = closed({
  /**
   * The whole of `<upstream>/<repository>:<tag>` or `<upstream>/<repository>@<digest>` that the
   * rule is for. Required, but for the presets `openshift-ci` and `config-file`.
   */
  match: Type.Optional(wholePattern()),
  /** The pull spec there; `${group}` is the text of a named group of `match`. */
  from: Type.Optional(text()),
  /**
   * `openshift-ci`: the entry of `configFile`, else the image stream tag of app.ci. `config-file`:
   * that entry alone. `history`: what the tag meant last, by the records of this service.
   */
  preset: Type.Optional(oneOf(['openshift-ci', 'config-file', 'history'])),
  /** Copy what is found to the tag that was asked for. Default: for the presets of CI alone. */
  copy: Type.Optional(Type.Boolean()),
});

/** What becomes of a pull of a tag that the destination lacks and its source has. */
const misses = section({
  /** Where a missed image is looked for, in this order. Default: the preset `openshift-ci`. */
  sources: Type.Array(missSource, { default: [{ preset: 'openshift-ci' }] }),
  /**
   * `serve` (default): answered from the source at once, and copied. `wait`: copied, and answered
   * when the copy is there, at the latest after `waitMs`. `queue`: 404, and copied. `off`: 404.
   */
  onMiss: oneOf(['serve', 'wait', 'queue', 'off'], { default: 'serve' }),
  /** How long `wait` waits before it serves, in milliseconds. Default 1 min. */
  waitMs: ms({ default: '1m' }),
  /** How long a source's "there is no such tag" is believed, in milliseconds. Default 5 s. */
  absentMs: ms({ default: '5s' }),
  /** Requests a second to sources for unknown tags; above it such a tag is 404. Default 50. */
  questionsPerSecond: count({ minimum: 1, default: 50 }),
  /** The whole of `<namespace>/<name>:<tag>` that may come without an entry. Default: all. */
  imageStreams: Type.Optional(wholePattern()),
});

/** The controller that keeps QCI as the image streams of a cluster are. */
const imageStreams = closed({
  /** Whose image streams; a name under `clusters`. */
  cluster: text(),
  /** Watch them, and copy changes (true). Default false: they are read only for `artImages`. */
  watch: Type.Boolean({ default: false }),
  /**
   * A checkout of openshift/release, whose tests' images are copied. Reloaded when the link of
   * git-sync moves. Default: none, and only the tags below are copied.
   */
  releaseRepo: Type.Optional(text()),
  /** `namespace/name:tag`: copied although no test uses them. */
  additionalTags: Type.Array(text(), { default: [] }),
  /** `namespace/name`, whole. */
  additionalStreams: Type.Array(text(), { default: [] }),
  /** Whole namespaces. */
  additionalNamespaces: Type.Array(text(), { default: [] }),
  /** `namespace/name:tag`: never copied; wins over the others. */
  ignoredTags: Type.Array(text(), { default: [] }),
  /** Leave out images whose layers are not compressed by gzip. Default true. */
  onlyValidManifestV2Images: Type.Boolean({ default: true }),
});

/** Copies images between registries, and into QCI what a pull misses. One process copies. */
export const mirrorSchema = closed({
  /** `supplementalCIImages`, `qciToAppCIImages`, `ignoredSources`, `artImages`. Default: none. */
  configFile: Type.Optional(file()),
  /** A docker or podman auth file, for sources and destinations. Default: those of upstreams. */
  authFile: Type.Optional(file()),
  /** Where the queue is shown; `false` (default) for nowhere but `admin.listen`. */
  listen: listenOrNone(false, '127.0.0.1:8090'),
  /** Inspect, and copy nothing; queue and lease stay untouched. Default false. */
  dryRun: Type.Boolean({ default: false }),
  /** Images copied at a time. Default 24. */
  images: count({ minimum: 1, default: 24 }),
  /** Requests and uploads at a time to one registry; fewer after its 429s. Default 20. */
  maxPerRegistry: count({ minimum: 1, default: 20 }),
  /**
   * Signatures, attestations and bills of materials that cosign keeps under tags: copied with an
   * image into `quay.io/openshift/ci` (`qci`, default), with every image (`all`), or not (`off`).
   * Costs one request to the source for each copy.
   */
  attachments: oneOf(['qci', 'all', 'off'], { default: 'qci' }),
  lease: Type.Optional(lease),
  imageStreams: Type.Optional(imageStreams),
  misses,
});
