import type { Run } from '../flags/io.ts';
import type { Start } from '../serve/serve.ts';

/** One thing that `quayside` can do. */
export interface Command {
  /** The words that call it. */
  readonly name: string;
  /** One clause for the list of commands. */
  readonly summary: string;
  /** What follows the name. */
  readonly usage: string;
  /** What `--help` says below the usage. */
  readonly help: string;
  /** What a mistake in its command line ends with. Default 2. */
  readonly mistakeCode?: number;
  /** Loads the command and runs it: who asks for the version does not wait for a server's libraries. */
  readonly run: Run;
}

/** Loaded last: a mistake in the command line or the configuration is told without waiting for it. */
const startApp: Start = async (config, options) =>
  (await import('../../app/app.ts')).quayside(config, options);

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  {
    name: 'serve',
    summary: 'answer container clients until told to stop',
    usage: '[--config FILE]',
    help: `  --config FILE   the settings, YAML; without it: 127.0.0.1:8400, ./.quayside, public registries, no login

Log lines (JSON) go to standard output, all else to standard error. SIGTERM and SIGINT end it once the requests
under way are answered, within shutdownGraceMs; SIGTERM after shutdownDelayMs, in which only readiness is denied. A
second one ends it at once. SIGHUP reads the file again, as a change of
it does, and drops what is remembered of logins and rights; outside of a terminal only.`,
    run: async (args, io) => (await import('../serve/serve.ts')).serving(startApp)(args, io),
  },
  {
    name: 'proxy',
    summary: 'answer in the place of qci-appci, under its command line',
    usage: '[-FLAG=VALUE]...',
    help: `Its flags, with one dash or two, and what they are without one:
  -listen-addr          127.0.0.1:8400; always HTTPS
  -exposed-host         quay-proxy.ci.openshift.org, where clients find us and log in
  -gracePeriod          10s, for requests under way when it is told to stop
  -robot-username-file  required, with -robot-password-file: who we are to quay.io, and a login here
  -token-secret-file    required; lines of 32 bytes or more, the first signs our tokens and all are accepted
  -token-validity       21600s
  -tls-cert-file        required, with -tls-key-file
  -interval             accepted and without effect: a token for quay.io is renewed before it ends

Ours beside them:
  --kubeconfig FILE     the cluster that knows the users (default: $KUBECONFIG, then the one we run in)
  --config FILE         more settings, YAML; a flag that is given counts more
  --print-config        print the settings that all this means, and end

Users are asked about as before: whoever may get imagestreams/layers in ocp may pull, and every service account. Blobs are where quay.io
redirects to. Secrets and certificates are read again when they change. Ends as quayside serve does.`,
    run: async (args, io) =>
      (await import('../../predecessors/commands/proxy.ts')).proxying(startApp)(args, io),
  },
  {
    name: 'config check',
    summary: 'say everything that is wrong with a configuration file',
    usage: 'FILE',
    help: `Prints each fault as FILE:LINE: setting: what is wrong, and ends with 2; with 0 when there is none.
The files that settings name must be readable by whoever runs this.`,
    run: async (args, io) => (await import('./check.ts')).check(args, io),
  },
  {
    name: 'evict',
    summary: 'delete what was not used for longest, down to the low mark',
    usage: '[--config FILE] [--dry-run] [--json]',
    help: `  --config FILE   the settings, YAML; those of the servers that use the store
  --dry-run       say what would be deleted, and delete nothing
  --json          print one JSON document instead of a table

Servers do the same every eviction.everyMs, and may run meanwhile: one process evicts at a time. What pinned tags hold,
and what was stored or used in the last ten minutes, is never deleted.`,
    run: async (args, io) => (await import('./evict.ts')).evict(args, io),
  },
  {
    name: 'access check',
    summary: 'say what a host would answer to somebody, and why',
    usage: '--config FILE [--host HOST] --as USER [--groups A,B] [--cluster NAME] [--json] REFERENCE',
    help: `  --config FILE    the settings, YAML; those of the servers
  --host HOST      the host that is asked; default: the one in the reference, or the only one with auth: cluster
  --as USER        whose pull it is; system:serviceaccount:NAMESPACE:NAME for a service account
  --groups A,B     groups of the user; those that a cluster gives by itself are added
  --cluster NAME   the cluster that knows the user; default: the first that the host asks
  --json           print one JSON document instead of lines

REFERENCE is [HOST/]REPOSITORY:TAG or [HOST/]REPOSITORY@DIGEST. The cluster is asked anew, with the rights of whoever runs
this. A digest is judged by what is in the store, which may be in use; no upstream is asked, nothing is written.

Ends with 0 when the pull is allowed, 1 when it is refused, 2 for a mistake, 3 when it could not be told.`,
    run: async (args, io) => {
      const { accessSources } = await import('../access/access-sources.ts');
      return (await import('../access/access-check.ts')).checkingAccess(accessSources)(args, io);
    },
  },
  {
    name: 'access forget',
    summary: 'make a running server ask for everybody’s logins and rights anew',
    usage: '[--config FILE | --admin URL] [--token-file FILE]',
    help: `  --config FILE      the settings of that server, YAML, which say where its admin listener is; default 127.0.0.1:8401
  --admin URL        where it is, such as http://127.0.0.1:8401
  --token-file FILE  whose first token to show; default: admin.tokenFile of --config. On the server's own host none is needed

For a right that was taken away a moment ago. Each replica remembers for itself.`,
    run: async (args, io) => (await import('../access/access-forget.ts')).accessForget(args, io),
  },
  {
    name: 'mirror serve',
    summary: 'mirror images in the place of ci-images-mirror, under its command line',
    usage: '[--FLAG=VALUE]...',
    help: `Its flags, with one dash or two, and what they are without one:
  --config                        none; the image mirroring's _config.yaml, looked over every hour and when it changes
  --registry-config               required; logins for reading and writing, a docker or podman auth file
  --leader-election-namespace     ci; --leader-election-suffix none, only with --dry-run: who works holds this Lease
  --enable-controller             none; quay_io_ci_images_distributor watches the image streams
  --dry-run                       false
  --port                          8090, where the queue is shown
  --gracePeriod                   10s, for copies under way when it is told to stop
  --only-valid-manifest-v2-images true
  --quayIOCIImagesDistributorOptions.additional-image-stream-tag, .additional-image-stream,
  .additional-image-stream-namespace, .ignore-image-stream-tag   which tags are mirrored; each may be repeated
  --validate-config-only          false; says what speaks against --config, and ends; in a checkout, against what is new in it
  --release-repo-git-sync-path    none; a checkout of openshift/release: the controller mirrors what its tests use

Ours beside them:
  --kubeconfig FILE     the cluster app.ci (default: $KUBECONFIG, then the one we run in)
  --settings FILE       more settings, YAML; a flag that is given counts more
  --print-config        print the settings that all this means, and end

Metrics are at :8080. What is to be copied is kept in the store, and survives a restart. Ends as quayside serve does.`,
    run: async (args, io) =>
      (await import('../../predecessors/commands/mirror-serve.ts')).mirrorServing(startApp)(args, io),
  },
  {
    name: 'mirror validate',
    summary: 'say what speaks against a configuration of the image mirroring',
    usage: '--config FILE [--against FILE|URL] [--release-repo-git-sync-path DIR] [-a FILE]',
    help: `  --config FILE             the image mirroring's _config.yaml
  --against FILE|URL        the one in force: what it has is not questioned again
  --release-repo-git-sync-path DIR   a checkout of openshift/release: what its configurations promote is not overwritten
  -a, --registry-config FILE   logins; default $REGISTRY_AUTH_FILE, then those of podman and docker

New supplemental images must not come from docker.io, must be there, and must neither exist in QCI nor be promoted into it. Ends with 0
when nothing speaks against the file, 1 when something does, 2 when it cannot be used.`,
    run: async (args, io) => (await import('../mirror/validate.ts')).validating()(args, io),
  },
  {
    name: 'mirror',
    summary: 'copy images between registries and directories, as oc image mirror does',
    usage: '[OPTION]... [SRC=DST... | SRC DST [DST]...] [-f FILE]...',
    help: `SRC and DST are REGISTRY/REPOSITORY[:TAG|@DIGEST], file://REPOSITORY[:TAG] in a directory as oc lays it out, or
oci:PATH[:TAG], an OCI image layout. SRC without tag and digest, or with * in its tag, is every tag that fits; DST without a
tag takes that of SRC. What is there already is not sent again; nothing counts as copied before the destination confirmed it.

  -f, --filename FILE            mappings, one SRC=DST or SRC DST [DST]... a line, # for comments; - is standard input
  -a, --registry-config FILE     logins; default $REGISTRY_AUTH_FILE, then those of podman and docker
      --insecure                 allow plain HTTP and skip TLS certificate verification
      --certificate-authority FILE   PEM of the authorities to trust
      --filter-by-os REGEXP      of a list, the images for such OS/ARCH[/VARIANT]
      --keep-manifest-list       push a list as it is, also over fewer images, and print a line for each image that is pushed with it;
                                 default: as it is, unless --filter-by-os leaves some out
      --all-tags                 every SRC is a repository
      --referrers                what refers to an image too: signatures, attestations, also under the tags of cosign
      --dir DIR, --from-dir DIR  where file:// lies, and where it lies for SRC; default: here
      --max-per-registry N       requests at a time to each registry; default 6
      --max-registry N           pairs of registries at a time; default 4
      --requests-per-second N    to each registry, to read and to write together; default: as many as it takes
      --dry-run                  say what would be copied, in bytes, and copy nothing
      --continue-on-error        go on with the other images when one fails
      --skip-missing             a SRC that does not exist is only worth a warning
      --skip-mount               send every blob, take none over from another repository
      --foreign-layers skip|copy layers with urls of their own: leave them there, or copy them (default), from there where SRC lacks them
      --force                    write everything, also what is there
      --failed-file FILE         what was not copied, as mappings for -f; default: standard error
      --output json              one JSON document at the end instead of a line for each image
      --skip-multiple-scopes     accepted: a token is never asked for several repositories at once but to mount
      --upload-host HOST[:PORT]  another name of a registry, to which it may lead uploads and our login
      --loglevel N, -v N, and what every oc command has (--request-timeout, --kubeconfig, --context …): accepted, and without effect

Ends with 0 when every image is where it should be, 1 when not, also for a mistake in the command line, in a file of mappings or of logins,
130 or 143 when it was stopped by ^C or SIGTERM before. Without --continue-on-error nothing is copied when a SRC is missing.
Run again it copies what is missing.`,
    mistakeCode: 1,
    run: async (args, io) => (await import('../mirror/mirror.ts')).mirroring()(args, io),
  },
  {
    name: 'version',
    summary: 'print the version',
    usage: '',
    help: 'Prints name and version on one line.',
    run: async (args, io) => (await import('./version.ts')).version(args, io),
  },
];
