// Room `cli/commands`: the table of commands and their help. In: the words of a command line. Out:
// the exit code. Imports: every room below.

import type { Start } from '../serve/serve.ts';
import { clientCommands } from './client-commands.ts';
import type { Command } from './command.ts';

/** Loaded last: a mistake in the command line or the configuration is reported without it. */
const startApp: Start = async (config, options) =>
  (await import('../../app/app.ts')).createService(config, options);

const adminHelp = `  --config FILE      the settings of that server, YAML, for the address of its admin listener; default 127.0.0.1:8401
  --admin URL        the admin listener, such as http://127.0.0.1:8401
  --token-file FILE  a file whose first token to send; default: admin.tokenFile of --config. Over loopback none is needed`;

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
  {
    name: 'config check',
    summary: 'print every fault of a configuration file',
    usage: 'FILE',
    help: `Prints each fault as FILE:LINE: setting: what is wrong. Exits with 2 when there is one, else with 0.
The user who runs it must be able to read the files that settings name.`,
    run: async (args, io) => (await import('./check.ts')).check(args, io),
  },
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
  {
    name: 'mirror validate',
    summary: 'print objections to a configuration of the image mirroring',
    usage: '--config FILE [--against FILE|URL] [--release-repo-git-sync-path DIR] [-a FILE]',
    help: `  --config FILE             the image mirroring's _config.yaml
  --against FILE|URL        the configuration in force: its entries are not checked again
  --release-repo-git-sync-path DIR   a checkout of openshift/release: tags that its configurations promote are not overwritten
  -a, --registry-config FILE   logins; default $REGISTRY_AUTH_FILE, then those of podman and docker

New supplemental images must not come from docker.io, must exist, and must neither exist in QCI nor be promoted into it. Exits with 0
when there is no objection, 1 when there is one, 2 when the file cannot be used.`,
    run: async (args, io) => (await import('../mirror/validate.ts')).validating()(args, io),
  },
  {
    name: 'mirror hold',
    summary: 'keep the mirror of a running server from overwriting an image',
    usage: '[--until TIME] [--why TEXT] [--config FILE | --admin URL] [--token-file FILE] DESTINATION',
    help: `  --until TIME       when the hold ends by itself: 2026-12-01T12:00:00Z, or a duration such as 12h; default: at its release
  --why TEXT         for people; the log and the API show it
${adminHelp}

For an image that was set back by hand: the loop copies nothing to DESTINATION, a pull spec with its tag, until the hold ends. It is
kept in the store, so that it survives a restart and counts for every process with the same store. Run it before the image is set
back: a copy that is running then no longer overwrites the tag. quayside mirror SRC DESTINATION still does.`,
    run: async (args, io) => (await import('../mirror/hold.ts')).mirrorHold(args, io),
  },
  {
    name: 'mirror release',
    summary: 'let the mirror of a running server overwrite a held image again',
    usage: '[--config FILE | --admin URL] [--token-file FILE] DESTINATION',
    help: `${adminHelp}

Ends what quayside mirror hold began; what waits for DESTINATION is copied within a minute. Exits with 1 where there is no hold.`,
    run: async (args, io) => (await import('../mirror/hold.ts')).mirrorRelease(args, io),
  },
  {
    name: 'mirror verify',
    summary: 'check that every image of a mapping is at its destination, whole',
    usage: '[OPTION]... [SRC=DST... | SRC DST [DST]...] [-f FILE]...',
    help: `Takes the mappings and options of quayside mirror, so that its command line can be run again with this name; those that
only write have no effect. Nothing is written. For each image a line on standard output, in the order of the mappings:

  ok: DST DIGEST             DST has what SRC has, and all of it
  missing: DST: REASON       DST, or a part of it, is not there
  differs: DST: REASON       DST is another image than SRC, or a part of it is not what its digest says
  cannot tell: DST: REASON   SRC or DST did not answer; all that answered was checked
  skipped: DST: REASON       no image of SRC fits --filter-by-os, or SRC does not exist with --skip-missing

Files are read and compared with their digests. A registry is asked for each manifest, and for the size of each blob by HEAD.

      --deep                 read every blob of registries too, and compare it with its digest
      --referrers            check what refers to an image too
      --continue-on-error    check the other lines of a file with mistakes in it
      --failed-file FILE     write the images that are not ok, as mappings for -f of quayside mirror
      --output json          one JSON document at the end instead of a line for each image

Of SRC only the digest is asked, and none for SRC@DIGEST: a device can be checked where SRC is out of reach.

Exits with 0 when every image is ok or skipped, 1 when not, 2 for a mistake in the command line, in a file of mappings or of logins,
130 or 143 when ^C or SIGTERM stopped it.`,
    run: async (args, io) => (await import('../images/verify.ts')).mirrorVerify(args, io),
  },
  {
    name: 'mirror',
    summary: 'copy images between registries and directories, as oc image mirror does',
    usage: '[OPTION]... [SRC=DST... | SRC DST [DST]...] [-f FILE]...',
    help: `SRC and DST are REGISTRY/REPOSITORY[:TAG|@DIGEST], file://REPOSITORY[:TAG] in a directory as oc lays it out, or
oci:PATH[:TAG], an OCI image layout. SRC without tag and digest, or with * in its tag, is every tag that matches; DST without a
tag takes that of SRC. SRC:PREFIX* DST:* takes PREFIX off each tag, and leaves out the staging and backup tags of a flat repository
(__pre, _incoming, __post1, _prune_), whose number it prints. Content that exists is not sent again; nothing counts as copied before the destination confirmed it.

  -f, --filename FILE            mappings, one SRC=DST or SRC DST [DST]... a line, # for comments; - is standard input
  -a, --registry-config FILE     logins; default $REGISTRY_AUTH_FILE, then those of podman and docker
      --insecure                 allow plain HTTP and skip TLS certificate verification
      --certificate-authority FILE   PEM of the authorities to trust
      --filter-by-os REGEXP      of a list, the images for such OS/ARCH[/VARIANT]
      --keep-manifest-list       push a list unchanged, also when images are left out, and print a line for each image pushed with it;
                                 default: unchanged, unless --filter-by-os leaves some out
      --all-tags                 every SRC is a repository
      --referrers                copy referrers of an image too: signatures, attestations, also under the tags of cosign
      --dir DIR, --from-dir DIR  the directory of file://, and the one for SRC; default: the working directory
      --staging-tags             copy staging and backup tags to DST:* too
      --max-per-registry N       requests at a time to each registry; default 6
      --max-registry N           pairs of registries at a time; default 4
      --requests-per-second N    to each registry, reads and writes together; default: no limit
      --dry-run                  print what would be copied, in bytes, and copy nothing
      --exit-code                with --dry-run: exit with 0 only when nothing is left to copy
      --continue-on-error        go on with the other images when one fails
      --skip-missing             only warn about a SRC that does not exist
      --skip-mount               send every blob, mount none from another repository
      --foreign-layers skip|copy layers with urls of their own: leave them there, or copy them (default), from those urls where SRC lacks them
      --force                    write everything, also content that exists
      --failed-file FILE         write what was not copied, as mappings for -f; default: to standard error
      --output json              one JSON document at the end instead of a line for each image
      --skip-multiple-scopes     accepted: a token is never asked for several repositories at once but to mount
      --upload-host HOST[:PORT]  another name of a registry, to which it may redirect uploads with the login
      --loglevel N, -v N, and the options of every oc command (--request-timeout, --kubeconfig, --context …): accepted, without effect

Exits with 0 when every image is at its destination, 1 when not, also for a mistake in the command line, in a file of mappings or of logins,
130 or 143 when ^C or SIGTERM stopped it. Without --continue-on-error nothing is copied when a SRC is missing.
Run again, it copies what is missing.`,
    mistakeCode: 1,
    run: async (args, io) => (await import('../mirror/mirror.ts')).mirroring()(args, io),
  },
  {
    name: 'image info',
    summary: 'show digest, layers, configuration, platforms and signatures of images, as oc image info does',
    usage: '[OPTION]... REF...',
    help: `REF is REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@DIGEST, file://REPOSITORY:TAG in a directory as oc lays it out, or
oci:PATH:TAG, an OCI image layout. A tag with * in it is every tag that matches.

  -o, --output json              a JSON document for each REF, with the field names of oc image info; a list for several images
      --filter-by-os REGEXP      of a list, the images for such OS/ARCH[/VARIANT]; without it a list is shown as a list
      --show-multiarch           of a list, every image
      --config FILE              the settings, YAML: logins, authorities, addresses and proxies of the upstreams of a server
  -a, --registry-config FILE     logins; default those of --config, then $REGISTRY_AUTH_FILE, then those of podman and docker
      --insecure                 allow plain HTTP and skip TLS certificate verification
      --certificate-authority FILE   PEM of the authorities to trust
      --dir DIR                  the directory of file://; default: the working directory
      --skip-referrers           do not ask for signatures and other referrers: up to 8 requests less
      --loglevel N, -v N, and the options of every oc command: accepted, without effect

Signatures are listed and not verified. An image of Docker schema 1 is shown as such; its digest is that of the signed payload.

Exits with 0 when all was shown, 1 when an image or a part of it does not exist or is damaged, 2 for a mistake, 3 when a registry
did not say. A registry that refuses the login does not say.`,
    run: async (args, io) => (await import('../images/info.ts')).imageInfo()(args, io),
  },
  {
    name: 'version',
    summary: 'print the version',
    usage: '',
    help: 'Prints name and version on one line.',
    run: async (args, io) => (await import('./version.ts')).version(args, io),
  },
];
