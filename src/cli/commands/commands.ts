// Room `cli/commands`: the table of commands and their help. In: the words of a command line. Out:
// the exit code. Imports: every room below.

import type { Start } from '../serve/serve.ts';
import { clientCommands } from './client-commands.ts';
import { adminHelp, type Command } from './command.ts';
import { configCommands } from './config-commands.ts';
import { imageCommands } from './image-commands.ts';
import { loadCommands } from './load-commands.ts';

/** Loaded last: a mistake in the command line or the configuration is reported without it. */
const startApp: Start = async (config, options) =>
  (await import('../../app/app.ts')).createService(config, options);

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  {
    name: 'serve',
    summary: 'serve container clients until stopped',
    usage: '[--config FILE]',
    help: `  --config FILE   the settings, YAML; without it: 127.0.0.1:8400, ./.quayside, public registries, no login

Log lines (JSON) go to standard output, all else to standard error. SIGTERM and SIGINT stop it once the requests
under way are answered, within shutdownGraceMs; after SIGTERM it serves for shutdownDelayMs more, not ready. A
second one stops it at once. SIGHUP, outside of a terminal, reloads the file, as a change of
the file does, and forgets remembered logins and rights.`,
    run: async (args, io) => (await import('../serve/serve.ts')).serving(startApp)(args, io),
  },
  {
    name: 'proxy',
    summary: 'serve in place of qci-appci, with its command line',
    usage: '[-FLAG=VALUE]...',
    help: `Its flags, with one dash or two, and their defaults:
  -listen-addr          127.0.0.1:8400; always HTTPS
  -exposed-host         quay-proxy.ci.openshift.org, the host name that clients use and log in to
  -gracePeriod          10s, for requests under way at SIGTERM
  -robot-username-file  required, with -robot-password-file: the login at quay.io, accepted here too
  -token-secret-file    required; lines of 32 bytes or more, the first signs our tokens and all are accepted
  -token-validity       21600s
  -tls-cert-file        required, with -tls-key-file
  -interval             accepted, without effect: a token for quay.io is renewed before it expires

Flags that Quayside adds:
  --kubeconfig FILE     the cluster of the users (default: $KUBECONFIG, then the cluster it runs in)
  --config FILE         more settings, YAML; a flag wins over them
  --print-config        print the resulting settings, and exit

Rights as before: users who may get imagestreams/layers in ocp may pull, and every service account. Blobs come from where quay.io
redirects to. Changed secrets and certificates are reloaded. Stops as quayside serve does.`,
    run: async (args, io) =>
      (await import('../../predecessors/commands/proxy.ts')).proxying(startApp)(args, io),
  },
  ...configCommands,
  {
    name: 'evict',
    summary: 'delete the least recently used content, down to the low-water mark',
    usage: '[--config FILE] [--dry-run] [--json]',
    help: `  --config FILE   the settings, YAML; those of the servers that use the store
  --dry-run       print what would be deleted, and delete nothing
  --json          print one JSON document instead of a table

Servers do the same every eviction.everyMs, and may run meanwhile: one process evicts at a time. Content of pinned tags,
and content stored or used within the last 20 minutes, is never deleted.`,
    run: async (args, io) => (await import('./evict.ts')).evict(args, io),
  },
  {
    name: 'status',
    summary: 'print the conditions of a running server',
    usage: '[--watch] [--json] [--config FILE | --admin URL] [--token-file FILE]',
    help: `  --watch            print them again at each change, until stopped
  --json             print JSON, one document a line
${adminHelp}

Available, Progressing and Degraded, and below them those of the parts: status, since when, reason and message. A second line of a part
is what has been found and does not count yet. Each replica has conditions of its own.

Exits with 0 when it is available and not degraded, 1 when not, 2 for a mistake, 3 when the server cannot be asked; 130 or 143 when
^C or SIGTERM ended --watch.`,
    run: async (args, io) => (await import('../serve/status.ts')).statusShown(args, io),
  },
  {
    name: 'bucket ensure',
    summary: 'create the bucket of the store, and the settings that it lacks',
    usage: '--config FILE [--confirm] [CREDENTIALS] [--tag KEY=VALUE]... [--kms-key ID] [--cleanup-days N]',
    help: `  --config FILE        the settings, YAML; of them store.s3 without its credentials
  --confirm            make the changes; default: print the plan, and change nothing
  --access-key-id-file FILE, --secret-access-key-file FILE, --session-token-file FILE
                       the credentials; default: the AWS chain (environment, profile, role), never those of store.s3
  --tag KEY=VALUE      a tag besides quayside/IDENTITY=owned; may be repeated
  --kms-key ID         encrypt by this key of KMS; default: AES256
  --cleanup-days N     after how many days incomplete multipart uploads are aborted; default 1

Creates a missing bucket and tags it as ours; then blocks public access, and adds default encryption and the lifecycle rule where they
are missing. Tags and rules that are there stay. A bucket without that tag is user supplied: of it the plan is printed, and nothing is
changed. Exits with 0 when the bucket is there and no change was refused, or the plan was printed, else with 1. A setting that the
server does not implement counts as no failure.`,
    run: async (args, io) => (await import('./bucket-ensure.ts')).bucketEnsure(args, io),
  },
  {
    name: 'access check',
    summary: 'print whether a user may pull from a host, and why',
    usage: '--config FILE [--host HOST] --as USER [--groups A,B] [--cluster NAME] [--json] REFERENCE',
    help: `  --config FILE    the settings, YAML; those of the servers
  --host HOST      the host to check; default: the one in the reference, or the only one with auth: cluster
  --as USER        the user who pulls; system:serviceaccount:NAMESPACE:NAME for a service account
  --groups A,B     groups of the user; those that Kubernetes adds by itself are added
  --cluster NAME   the cluster of the user; default: the first of the host's clusters
  --json           print one JSON document instead of lines

REFERENCE is [HOST/]REPOSITORY:TAG or [HOST/]REPOSITORY@DIGEST. The cluster is asked anew, with the rights of the user who
runs it. A digest is judged by the content of the store, which may be in use; no upstream is asked, nothing is written.

Exits with 0 when the pull is allowed, 1 when it is refused, 2 for a mistake, 3 when the question could not be decided.`,
    run: async (args, io) => {
      const { accessSources } = await import('../access/access-sources.ts');
      return (await import('../access/access-check.ts')).checkingAccess(accessSources)(args, io);
    },
  },
  {
    name: 'access forget',
    summary: 'make a running server forget remembered logins and rights',
    usage: '[--config FILE | --admin URL] [--token-file FILE]',
    help: `${adminHelp}

For a right that was just revoked: the next request asks the cluster. Each replica has a memory of its own.`,
    run: async (args, io) => (await import('../access/access-forget.ts')).accessForget(args, io),
  },
  ...clientCommands,
  {
    name: 'mirror serve',
    summary: 'mirror images in place of ci-images-mirror, with its command line',
    usage: '[--FLAG=VALUE]...',
    help: `Its flags, with one dash or two, and their defaults:
  --config                        none; the image mirroring's _config.yaml, processed every hour and when it changes
  --registry-config               required; logins for reading and writing, a docker or podman auth file
  --leader-election-namespace     ci; --leader-election-suffix none, only with --dry-run: the process that works holds this Lease
  --enable-controller             none; quay_io_ci_images_distributor watches the image streams
  --dry-run                       false
  --port                          8090, the address of the queue's API
  --gracePeriod                   10s, for copies under way at SIGTERM
  --only-valid-manifest-v2-images true
  --quayIOCIImagesDistributorOptions.additional-image-stream-tag, .additional-image-stream,
  .additional-image-stream-namespace, .ignore-image-stream-tag   which tags are mirrored; each may be repeated
  --validate-config-only          false; prints objections to --config and exits; in a checkout, to what is new in it
  --release-repo-git-sync-path    none; a checkout of openshift/release: the controller mirrors what its tests use

Flags that Quayside adds:
  --kubeconfig FILE     the cluster app.ci (default: $KUBECONFIG, then the cluster it runs in)
  --settings FILE       more settings, YAML; a flag wins over them
  --print-config        print the resulting settings, and exit

Metrics are at :8080. The queue is kept in the store and survives a restart. Stops as quayside serve does.`,
    run: async (args, io) =>
      (await import('../../predecessors/commands/mirror-serve.ts')).mirrorServing(startApp)(args, io),
  },
  ...imageCommands,
  ...loadCommands,
  {
    name: 'version',
    summary: 'print the version',
    usage: '[--output json]',
    help: `  -o, --output json   {version, revision, node}: also of the source, as the image was told by QUAYSIDE_REVISION, and of Node

Prints name and version on one line. quayside --version and quayside -V do the same.`,
    run: async (args, io) => (await import('./version.ts')).version(args, io),
  },
];
