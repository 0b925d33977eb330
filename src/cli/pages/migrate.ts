import { migratedKinds } from '../../migrate/kinds.ts';
import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, count, oneOf } from '../flags/values.ts';
import { registryFlags } from './mirror.ts';

function level(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new Error(`must be a whole number, not ${text}`);
}

export const migrateFlags = {
  confirm: { ...boolean, help: 'make the changes; without it they are printed, and nothing is changed' },
  include: {
    isList: true,
    value: 'KIND,...',
    words: ['all', ...migratedKinds.map(({ resource }) => resource)],
    help: 'which kinds; without it imagestreams,images,secrets; all is every one',
  },
  namespace: {
    short: 'n',
    value: 'NAME',
    help: 'only there, and nothing that has no namespace; without it all',
  },
  'all-namespaces': { ...boolean, short: 'A', help: 'what is done without --namespace' },
  'from-key': { value: 'KEY', help: 'only objects from NAMESPACE/NAME on' },
  'to-key': { value: 'KEY', help: 'only objects before NAMESPACE/NAME' },
  'failed-file': { value: 'FILE', help: 'write what failed, with its error: KIND NAMESPACE/NAME' },
  only: { isList: true, value: 'FILE', help: 'only the objects in FILE, such as those of --failed-file' },
  filename: {
    short: 'f',
    isList: true,
    value: 'FILE',
    help: 'a mapping file of quayside mirror; - is standard input',
  },
  output: {
    short: 'o',
    value: 'text|json|yaml',
    default: 'text',
    read: oneOf(['text', 'json', 'yaml']),
    help: 'json, yaml: print the objects as they would be, and change nothing',
  },
  'keep-logins': { ...boolean, help: 'keep logins under their old names too' },
  'add-logins': { value: 'FILE', help: 'rename no login, and add those of FILE for new places' },
  'no-check': {
    ...boolean,
    help: 'do not ask registries for the new references; else one that is not there, or cannot be looked up, stays',
  },
  ...registryFlags,
  'registry-config': {
    ...registryFlags['registry-config'],
    help: 'the logins for that; without it those of --config, then as for quayside mirror',
  },
  config: { value: 'FILE', help: 'the settings of a server, YAML: how registries are reached' },
  v: {
    short: 'v',
    value: 'N',
    read: level,
    help: '2: print also what is unchanged or ignored; without it 1',
  },
  loglevel: { value: 'N', read: level, help: 'the same as --v' },
  'num-workers': { default: '5', value: 'N', read: count, help: 'objects at a time' },
  kubeconfig: {
    value: 'FILE',
    help: 'without it $KUBECONFIG, then ~/.kube/config, then the cluster it runs in',
  },
  context: { value: 'NAME', help: 'one of the kubeconfig' },
} as const satisfies FlagTable;

export const migratePage: CommandPage = {
  flags: migrateFlags,
  about: `FROM=TO is REGISTRY/NAME=REGISTRY/NAME. '*' for REGISTRY or NAME is any on the left, unchanged on the right; NAME may end in /*, for what begins so, and then TO may put it below another name. docker.io is also what names no registry. Tag and digest stay. A line of FILE is one of quayside mirror -f: by tag, by digest, a glob, or a whole repository; lines to and from disks mean nothing here. What names a digest is left by a line for a tag. The first that fits counts, words before files.`,
  notes: `Changed are, as JSON patches of the image fields that hold only while the object is as it was read: images of containers, init containers and image volumes; of Images dockerImageReference; of ImageStreams first the history in status, then spec; of BuildConfigs what is of kind DockerImage; of pull secrets the names of registries, as HOST or HOST/NAME. Two logins never become one: that is an error. A workload whose pull secrets would lack a login that they have now is a warning. What a controller owns is left to its owner; a changed Deployment rolls out. A kind that may not be listed is an error. Run it again after an error or ^C: it reads anew, and takes what is left.`,
  examples: [
    "quayside migrate image-references 'registry.svc.ci.openshift.org/*=registry.ci.openshift.org/*'",
    'quayside migrate image-references --include all -f mapping.txt --confirm --failed-file failed.txt',
  ],
  exits: `Exits with 0 when nothing failed, 1 when something did, 2 for a mistake, 130 or 143 when a signal stopped it.`,
};
