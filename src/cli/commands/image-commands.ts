import { adminHelp, type Command } from './command.ts';

/** The options of all commands that delete in registries. */
const pruneHelp = `      --confirm              delete; without it everything is read and told, and nothing is changed
      --config FILE          the settings of a server, YAML: how the registry is reached, the clusters with streams, and the store
                             with the holds, in which the progress of this command is kept too; default: ./.quayside
      --no-streams           no image stream names anything here; without it a cluster of --config must have streams
  -a, --registry-config FILE   logins that may read and delete; default those of the mirror in --config, then those of its upstream
      --insecure             allow plain HTTP and skip TLS certificate verification
      --certificate-authority FILE   PEM of the authorities to trust
      --max-per-registry N   requests at a time; default 20. Half as many after each 429, one more after ten good answers
      --requests-per-second N   default: no limit
      --failed-file FILE     write what could not be deleted, with its error
      --every DURATION       begin again after so long, until stopped; with --confirm
      --metrics HOST:PORT    with --every: serve /metrics and /healthz there
  -o, --output json|table    json: a JSON line for each object, and one with all counts at the end; default table, for people`;

/**
 * The commands about images: copies and what they overwrite, and what images are. A group that has
 * the name of a longer one comes after it.
 */
export const imageCommands: readonly Command[] = [
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
      --skip-referrers           do not ask for signatures and other referrers: up to 5 requests less
      --loglevel N, -v N, and the options of every oc command: accepted, without effect

Signatures are listed and not verified. An image of Docker schema 1 is shown as such; its digest is that of the signed payload.

Exits with 0 when all was shown, 1 when an image or a part of it does not exist or is damaged, 2 for a mistake, 3 when a registry
did not say. A registry that refuses the login does not say.`,
    run: async (args, io) => (await import('../images/info.ts')).imageInfo()(args, io),
  },
  {
    name: 'revert',
    summary: 'set a tag back to an image that it named before, and hold it against the mirror',
    usage: '[--version N] [--confirm] [OPTION]... TAG',
    help: `TAG is a tag of quay.io/openshift/ci, an image stream tag (NAMESPACE/NAME:TAG), or REGISTRY/REPOSITORY:TAG. Its previous images are
those that promotion and the mirror kept as <14 digits>_prune_TAG and <14 digits>_prune___ci_images_mirror__TAG.

      --version N            which one: 1 is the newest; default 1
      --confirm              act; without it the plan is printed and nothing is changed
      --until TIME           when the hold ends by itself: 2026-12-01T12:00:00Z, or a duration such as 12h; default: at its release
      --why TEXT             the reason of the hold, for people
      --no-hold              set no hold: nothing mirrors to TAG
  -a, --registry-config FILE   logins that may write and delete; default those of the mirror in --config, then $REGISTRY_AUTH_FILE,
                             then those of podman and docker
      --insecure             allow plain HTTP and skip TLS certificate verification
      --certificate-authority FILE   PEM of the authorities to trust
${adminHelp}

Holds TAG, keeps its image as <now>_prune_TAG_broken, sets TAG to the previous image, and deletes the tag that this one had. A step
that fails, or ^C, undoes those before it; only where the last tag cannot be deleted, that is a warning. Turn off the promotion of TAG
first, or it comes back. quayside mirror release TAG ends the hold.

Exits with 0 when TAG is reverted, would be, or is that image already; 1 when there is no such image, or a step failed, 2 for a mistake,
3 when the registry or the server with the holds did not answer before anything was changed, 130 or 143 when a signal stopped it.`,
    run: async (args, io) => (await import('../images/revert.ts')).reverting()(args, io),
  },
  {
    name: 'prune tags',
    summary: 'delete tags that keep what promotion and the mirror overwrote, once they are old',
    usage: '[--confirm] [OPTION]... [REGISTRY/REPOSITORY]',
    help: `REGISTRY/REPOSITORY is quay.io/openshift/ci unless given. Deletes its tags <14 digits>_prune_TAG, when more than --ttl-days whole days
are over since the time (UTC) in their name.

      --ttl-days N           default 5; -1: all
      --delete-by WAY        tag: by name; digest: with its manifest, when all tags of that may go, as docker-registry 2.8 needs it;
                             default auto, by name where the registry does that, which a dry run does not try
  -f, --filename FILE        only the names in FILE, such as those of --failed-file; may be repeated
      --token-file FILE      an OAuth token of Quay: tags are deleted by the API of Quay; default $QUAY_OAUTH_TOKEN. Without a token they
                             are deleted by the distribution API, of which a registry that deletes a manifest with all its tags must
                             not be asked
${pruneHelp}

A tag stays while a hold is on TAG (quayside mirror hold), while an image stream names its digest, now or in its history, and TAG does
not, and while that cannot be told: the registry does not answer, or image streams are not in sync. Each tag is read again before it is
deleted, by its name. A failure is of its tag alone. A registry is listed only between 1 and the first tag that is too young, if it
lists in order. A run that was stopped goes on where it was, and tags that failed are tried first. With --confirm one process at a time
does this for a repository: by the Lease of mirror.lease with "-prune" behind its name, else by the store.

Release payloads rc_payload__V are kept component by component: each image of this repository that one names gets the tag
rc_payload__V__component__NAME, and preserved__rc_payload__V marks that all are there. A tag remove__rc_payload__V has all these deleted,
and is deleted itself by the first run that finds none of them.

  quayside prune tags --config quayside.yaml --ttl-days 60
  quayside prune tags --config quayside.yaml --token-file token --confirm --failed-file failed
  quayside prune tags --no-streams --confirm --every 1h registry.example.com/team/app

Exits with 0 when all is deleted, or would be, 1 when something could not be deleted or read, 2 for a mistake, 130 or 143 when a signal
stopped it.`,
    run: async (args, io) => (await import('../prune/tags.ts')).pruningTags()(args, io),
  },
  {
    name: 'prune images',
    summary: 'delete old images of the integrated registry of a cluster, or of repositories',
    usage: '[--confirm] [OPTION]... | --repository REGISTRY/REPOSITORY... [--confirm] [OPTION]...',
    help: `Without --repository: what oc adm prune images does, with its lines. Items of image streams, and then Images that no stream names,
with their links and blobs in the integrated registry.

      --confirm              delete; without it the lines are told, and nothing is changed nor asked of the registry
      --all                  default true; false: only Images that were pushed to the integrated registry
      --keep-younger-than DURATION, --keep-tag-revisions N   default 60m and 3
      --prune-over-size-limit   in place of both: what is larger than the LimitRange of its namespace allows
  -n, --namespace NAME       only streams of this namespace, and no Images
      --ignore-invalid-refs  go on despite references that cannot be read, and keep all that they may mean
      --prune-registry       default true; false: only API objects
      --registry-url URL     default: that of the youngest Image that was pushed there
      --force-insecure       do not verify the certificate of the registry
      --certificate-authority FILE   PEM of the authorities of the registry
      --num-workers N        streams, blobs and requests to the registry at a time; default 20
      --requests-per-second N   to the registry; default: no limit
      --config FILE          the settings with the store that keeps the progress, and with mirror.lease; default: ./.quayside
      --failed-file FILE     write what could not be deleted, with its error
  -f, --filename FILE        only the objects in FILE, such as those of --failed-file, in all namespaces; may be repeated
      --every DURATION, --metrics HOST:PORT, -o json   as below
      --kubeconfig FILE, --context NAME   default $KUBECONFIG, then the cluster it runs in; its user needs a token and the role
                             system:image-pruner

A kind that may use images and cannot be listed ends it before anything is changed. References count in all namespaces, also with -n.
A failure is of its object alone. Images with most bytes of their own go first. A run that was stopped goes on where it was: links of
what a stream no longer names, and blobs of deleted Images, are kept in the store until they are gone, and taken first.

With --repository: deletes manifests by digest, as any registry does that has deletes enabled; the space of their blobs is freed by its
garbage collection.

      --repository REGISTRY/REPOSITORY   where; may be repeated, one is done after the other
      --match EXPR           the rules are about tags that it fits whole (RE2); default .*; all others stay
      --keep-younger-than DURATION   images that were built within it stay; default 60m
      --keep-tag-revisions N   so many tags of the images built last stay; default 3
  -f, --filename FILE        only the REGISTRY/REPOSITORY@DIGEST in FILE, such as those of --failed-file; may be repeated
${pruneHelp}

A manifest goes only when every tag of it may go, no index that stays lists it, no hold is on one of its tags and no image stream names
it, now or in its history. Where a tag cannot be read, or image streams are not in sync, nothing that may be needed goes. An image of
which it is not known when it was built, or that says before 1990, stays. Most bytes go first, what an index lists after the index, and
signatures (sha256-<64 digits>.sig and the like) with what they are for. The repository is listed again before the first deletion, and
each tag is read again before that of its manifest. A failure is of its manifest alone.

  quayside prune images --confirm --keep-younger-than 96h --registry-url https://image-registry.openshift-image-registry.svc:5000
  quayside prune images --repository registry.example.com/team/app --match 'pr-[0-9]+' --keep-younger-than 30d --no-streams --confirm

Exits with 0 when all is deleted, or would be, 1 when something could not be deleted or read, 2 for a mistake, 130 or 143 when a signal
stopped it.`,
    run: async (args, io) => (await import('../prune/images.ts')).pruningImages()(args, io),
  },
  {
    name: 'migrate image-references',
    summary: 'make the objects of a cluster name images where they are now',
    usage: '[--confirm] [--include KIND,...] [OPTION]... FROM=TO... | -f FILE...',
    help: `FROM=TO is REGISTRY/NAME=REGISTRY/NAME. '*' for REGISTRY or NAME is any on the left, unchanged on the right; NAME may end in
/*, for what begins so, and then TO may put it below another name. docker.io is also what names no registry. Tag and digest stay.
A line of FILE is one of quayside mirror -f: by tag, by digest, a glob, or a whole repository; lines to and from disks mean nothing
here. What names a digest is left by a line for a tag. The first that fits counts, words before files.

      --confirm              make the changes; without it they are printed, and nothing is changed
      --include KIND,...     default imagestreams,images,secrets; or pods, replicationcontrollers, deployments, statefulsets,
                             daemonsets, replicasets, jobs, cronjobs, deploymentconfigs, buildconfigs; all is every one
  -n, --namespace NAME       only there, and nothing that has no namespace; default: all (-A, --all-namespaces)
      --from-key KEY, --to-key KEY   only objects from NAMESPACE/NAME on, and before NAMESPACE/NAME
      --failed-file FILE     write what failed, with its error: KIND NAMESPACE/NAME
      --only FILE            only the objects in FILE, such as those of --failed-file; may be repeated
  -f, --filename FILE        a mapping file of quayside mirror; - is standard input; may be repeated
  -o, --output yaml|json     print the objects as they would be, and change nothing
      --keep-logins          keep logins under their old names too; --add-logins FILE: rename none, and add those of FILE for new places
      --no-check             do not ask registries for the new references; else one that is not there, or cannot be looked up, stays
  -a, --registry-config FILE the logins for that; default as for mirror; --config FILE, --insecure, --certificate-authority FILE
  -v, --loglevel N           2: print also what is unchanged or ignored; default 1; --num-workers N: objects at a time, default 5
      --kubeconfig FILE      default $KUBECONFIG, then ~/.kube/config, then the cluster it runs in; --context NAME is one of it

Changed are, as JSON patches of the image fields that hold only while the object is as it was read: images of containers, init containers
and image volumes; of Images dockerImageReference; of ImageStreams first the history in status, then spec; of BuildConfigs what is
of kind DockerImage; of pull secrets the names of registries, as HOST or HOST/NAME. Two logins never become one: that is an error.
A workload whose pull secrets would lack a login that they have now is a warning. What a controller owns is left to its owner; a changed
Deployment rolls out. A kind that may not be listed is an error. Run it again after an error or ^C: it reads anew, and takes what is left.

  quayside migrate image-references 'registry.svc.ci.openshift.org/*=registry.ci.openshift.org/*'
  quayside migrate image-references --include all -f mapping.txt --confirm --failed-file failed.txt

Exits with 0 when nothing failed, 1 when something did, 2 for a mistake, 130 or 143 when a signal stopped it.`,
    run: async (args, io) => (await import('../migrate/migrate.ts')).migratingReferences()(args, io),
  },
];
