import { Expression } from '../../base/text/expression.ts';
import { parseHost } from '../../config/schema/leaves.ts';
import type { Flag, FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, count, oneOf, output, rate } from '../flags/values.ts';

/** How a command reaches registries. */
export const registryFlags = {
  'registry-config': {
    short: 'a',
    value: 'FILE',
    help: 'logins; without it $REGISTRY_AUTH_FILE, then those of podman and docker; helpers that it names are run from $QUAYSIDE_CREDENTIAL_HELPERS',
  },
  insecure: { ...boolean, help: 'allow plain HTTP and skip TLS certificate verification' },
  'certificate-authority': { value: 'FILE', help: 'PEM of the authorities to trust' },
} as const satisfies FlagTable;

/** The flags of `oc image mirror`, and ours beside them. */
const flags = {
  filename: {
    short: 'f',
    isList: true,
    value: 'FILE',
    help: 'mappings, one SRC=DST or SRC DST [DST]... a line, # for comments; - is standard input',
  },
  ...registryFlags,
  'filter-by-os': {
    value: 'REGEXP',
    read: (text: string) => Expression.anywhere(text),
    help: 'of a list, the images for such OS/ARCH[/VARIANT]',
  },
  'keep-manifest-list': {
    ...boolean,
    help: 'push a list unchanged, also when images are left out, and print a line for each image pushed with it; without it unchanged, unless --filter-by-os leaves some out',
  },
  'all-tags': { ...boolean, help: 'every SRC is a repository' },
  referrers: {
    ...boolean,
    help: 'copy referrers of an image too: signatures, attestations, also under the tags of cosign',
  },
  dir: { default: '.', value: 'DIR', help: 'the directory of file://' },
  'from-dir': { value: 'DIR', help: 'the directory of file:// for SRC; without it that of --dir' },
  'staging-tags': { ...boolean, help: 'copy staging and backup tags to DST:* too' },
  'max-per-registry': { default: '6', value: 'N', read: count, help: 'requests at a time to each registry' },
  'max-registry': { default: '4', value: 'N', read: count, help: 'pairs of registries at a time' },
  'requests-per-second': {
    value: 'N',
    read: rate,
    help: 'to each registry, reads and writes together; without it there is no limit',
  },
  'dry-run': { ...boolean, help: 'print what would be copied, in bytes, and copy nothing' },
  'exit-code': { ...boolean, help: 'with --dry-run: exit with 0 only when nothing is left to copy' },
  'continue-on-error': { ...boolean, help: 'go on with the other images when one fails' },
  'skip-missing': { ...boolean, help: 'only warn about a SRC that does not exist' },
  'skip-mount': { ...boolean, help: 'send every blob, mount none from another repository' },
  'foreign-layers': {
    default: 'copy',
    value: 'skip|copy',
    read: oneOf(['skip', 'copy']),
    help: 'layers with urls of their own: leave them there, or copy them, from those urls where SRC lacks them',
  },
  force: { ...boolean, help: 'write everything, also content that exists' },
  'failed-file': {
    value: 'FILE',
    help: 'write what was not copied, as mappings for -f; without it to standard error',
  },
  output: { ...output, help: 'text: a line for each image, or json: one document at the end' },
  'skip-multiple-scopes': {
    ...boolean,
    help: 'accepted: a token is never asked for several repositories at once but to mount',
  },
  'upload-host': {
    isList: true,
    value: 'HOST[:PORT]',
    read: (text: string) => text.split(',').map(parseHost),
    help: 'another name of a registry, to which it may redirect uploads with the login',
  },
  's3-source-bucket': { isList: true },
  'skip-verification': boolean,
} as const satisfies FlagTable;

/** Flags of every oc command, on the cluster and the log. No cluster is asked here. */
const global = [
  'as',
  'as-group',
  'as-uid',
  'cache-dir',
  'client-certificate',
  'client-key',
  'cluster',
  'context',
  'kubeconfig',
  'log-flush-frequency',
  'loglevel',
  'namespace',
  'password',
  'profile',
  'profile-output',
  'request-timeout',
  'server',
  'tls-server-name',
  'token',
  'user',
  'username',
  'v',
  'vmodule',
] as const;

const shortOfGlobal: Readonly<Record<string, string>> = { namespace: 'n', server: 's', v: 'v' };
const globalSwitches = [
  'disable-compression',
  'insecure-skip-tls-verify',
  'match-server-version',
  'warnings-as-errors',
] as const;

/** Accepted by every command that stands in for one of oc, without effect. */
export const globalFlags: Readonly<Record<string, Flag>> = Object.fromEntries([
  ...globalSwitches.map((name) => [name, { isSwitch: true }] as const),
  ...global.map((name) => {
    const short = shortOfGlobal[name];
    return [name, short === undefined ? {} : { short }] as const;
  }),
]);

/** All that `quayside mirror` accepts. */
export const mirrorFlags = { ...globalFlags, ...flags };

export const mirrorPage: CommandPage = {
  flags: mirrorFlags,
  about: `SRC and DST are REGISTRY/REPOSITORY[:TAG|@DIGEST], file://REPOSITORY[:TAG] in a directory as oc lays it out, or oci:PATH[:TAG], an OCI image layout. SRC without tag and digest, or with * in its tag, is every tag that matches; DST without a tag takes that of SRC. SRC:PREFIX* DST:* takes PREFIX off each tag, and leaves out the staging and backup tags of a flat repository (__pre, _incoming, __post1, _prune_), whose number it prints. Content that exists is not sent again; nothing counts as copied before the destination confirmed it.`,
  notes: `--loglevel N, -v N, and the options of every oc command (--request-timeout, --kubeconfig, --context …) are accepted, without effect.`,
  exits: `Exits with 0 when every image is at its destination, 1 when not, also for a mistake in the command line, in a file of mappings or of logins, 130 or 143 when ^C or SIGTERM stopped it. Without --continue-on-error nothing is copied when a SRC is missing. Run again, it copies what is missing.`,
};

export const verifyFlags = {
  ...mirrorFlags,
  deep: { ...boolean, help: 'read every blob of registries too, and compare it with its digest' },
  referrers: { ...boolean, help: 'check what refers to an image too' },
  'continue-on-error': { ...boolean, help: 'check the other lines of a file with mistakes in it' },
  'failed-file': {
    value: 'FILE',
    help: 'write the images that are not ok, as mappings for -f of quayside mirror',
  },
};

export const verifyPage: CommandPage = {
  flags: verifyFlags,
  about: `Takes the mappings and options of quayside mirror, so that its command line can be run again with this name; those that only write have no effect. Nothing is written. For each image a line on standard output, in the order of the mappings:

  ok: DST DIGEST             DST has what SRC has, and all of it
  missing: DST: REASON       DST, or a part of it, is not there
  differs: DST: REASON       DST is another image than SRC, or a part of it
                             is not what its digest says
  cannot tell: DST: REASON   SRC or DST did not answer; all that answered
                             was checked
  skipped: DST: REASON       no image of SRC fits --filter-by-os, or SRC does
                             not exist with --skip-missing

Files are read and compared with their digests. A registry is asked for each manifest, and for the size of each blob by HEAD.`,
  notes: `Of SRC only the digest is asked, and none for SRC@DIGEST: a device can be checked where SRC is out of reach.`,
  exits: `Exits with 0 when every image is ok or skipped, 1 when not, 2 for a mistake in the command line, in a file of mappings or of logins, 130 or 143 when ^C or SIGTERM stopped it.`,
};
