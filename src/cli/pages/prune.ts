import { Expression } from '../../base/text/expression.ts';
import { parseMs } from '../../config/schema/units.ts';
import { defaultTtlDays } from '../../prune/tag-rules.ts';
import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, count, oneOf, output, rate } from '../flags/values.ts';
import { registryFlags } from './mirror.ts';

/** The options of all commands that delete in registries. */
export const pruneFlags = {
  confirm: { ...boolean, help: 'delete; without it everything is read and told, and nothing is changed' },
  config: {
    value: 'FILE',
    help: 'the settings of a server, YAML: how the registry is reached, the clusters with streams, and the store with the holds, in which the progress of this command is kept too, and mirror.lease; without it ./.quayside',
  },
  'no-streams': {
    ...boolean,
    help: 'no image stream names anything here; without it a cluster of --config must have streams',
  },
  ...registryFlags,
  'registry-config': {
    ...registryFlags['registry-config'],
    help: 'logins that may read and delete; without it those of the mirror in --config, then those of its upstream',
  },
  'max-per-registry': {
    default: '20',
    value: 'N',
    read: count,
    help: 'requests at a time. Half as many after each 429, one more after ten good answers',
  },
  'requests-per-second': { value: 'N', read: rate, help: 'to the registry; without it there is no limit' },
  'failed-file': { value: 'FILE', help: 'write what could not be deleted, with its error' },
  filename: {
    short: 'f',
    isList: true,
    value: 'FILE',
    help: 'only the names in FILE, such as those of --failed-file',
  },
  every: {
    value: 'DURATION',
    read: period,
    help: 'begin again after so long, until stopped; with --confirm',
  },
  metrics: {
    value: 'HOST:PORT',
    read: listenAddress,
    help: 'with --every: serve /metrics and /healthz there',
  },
  output: {
    ...output,
    value: 'text|json|table',
    read: oneOf(['text', 'json', 'table']),
    help: 'text, which is also called table, or json: a line for each object, and one with all counts at the end',
  },
} as const satisfies FlagTable;

export const pruneTagsFlags = {
  'ttl-days': {
    default: `${defaultTtlDays}`,
    value: 'N',
    read: days,
    help: 'how many whole days a tag stays; -1: none',
  },
  'delete-by': {
    default: 'auto',
    value: 'auto|tag|digest',
    read: oneOf(['auto', 'tag', 'digest']),
    help: 'tag: by name; digest: with its manifest, when all tags of that may go, as docker-registry 2.8 needs it; auto: by name where the registry does that, which a dry run does not try',
  },
  'token-file': {
    value: 'FILE',
    help: 'an OAuth token of Quay: tags are deleted by the API of Quay; without it $QUAY_OAUTH_TOKEN. Without a token they are deleted by the distribution API, of which a registry that deletes a manifest with all its tags must not be asked',
  },
  ...pruneFlags,
} as const satisfies FlagTable;

const stopped = `Exits with 0 when all is deleted, or would be, 1 when something could not be deleted or read, 2 for a mistake, 130 or 143 when a signal stopped it.`;

export const pruneTagsPage: CommandPage = {
  flags: pruneTagsFlags,
  about: `REGISTRY/REPOSITORY is quay.io/openshift/ci unless given. Deletes its tags <14 digits>_prune_TAG, when more than --ttl-days whole days are over since the time (UTC) in their name.`,
  notes: `A tag stays while a hold is on TAG (quayside mirror hold), while an image stream names its digest, now or in its history, and TAG does not, and while that cannot be told: the registry does not answer, or image streams are not in sync. Each tag is read again before it is deleted, by its name. A failure is of its tag alone. A registry is listed only between 1 and the first tag that is too young, if it lists in order. A run that was stopped goes on where it was, and tags that failed are tried first. With --confirm one process at a time does this for a repository: by the Lease of mirror.lease with "-prune" behind its name, else by the store.

Release payloads rc_payload__V are kept component by component: each image of this repository that one names gets the tag rc_payload__V__component__NAME, and preserved__rc_payload__V marks that all are there. A tag remove__rc_payload__V has all these deleted, and is deleted itself by the first run that finds none of them.`,
  examples: [
    'quayside prune tags --config quayside.yaml --ttl-days 60',
    'quayside prune tags --config quayside.yaml --token-file token --confirm --failed-file failed',
    'quayside prune tags --no-streams --confirm --every 1h registry.example.com/team/app',
  ],
  exits: stopped,
};

const integrated = { group: 'Options of the integrated registry, without --repository:' } as const;
const repositories = { group: 'Options of repositories:' } as const;

export const pruneImagesFlags = {
  'keep-younger-than': {
    value: 'DURATION',
    read: (text: string) => parseMs(text),
    help: 'images and streams that are younger stay; without it 60m',
  },
  'keep-tag-revisions': {
    value: 'N',
    read: revisions,
    help: 'so many images of a tag of a stream stay, or so many tags of a repository, those built last; without it 3',
  },
  'num-workers': {
    default: '20',
    value: 'N',
    read: count,
    ...integrated,
    help: 'streams, blobs and requests to the registry at a time',
  },
  all: {
    ...boolean,
    default: 'true',
    ...integrated,
    help: 'false: only Images that were pushed to the integrated registry',
  },
  'prune-over-size-limit': {
    ...boolean,
    ...integrated,
    help: 'in place of age and revisions: what is larger than the LimitRange of its namespace allows',
  },
  namespace: {
    short: 'n',
    value: 'NAME',
    ...integrated,
    help: 'only streams of this namespace, and no Images',
  },
  'ignore-invalid-refs': {
    ...boolean,
    ...integrated,
    help: 'go on despite references that cannot be read, and keep all that they may mean',
  },
  'prune-registry': { ...boolean, default: 'true', ...integrated, help: 'false: only API objects' },
  'registry-url': {
    value: 'URL',
    ...integrated,
    help: 'without it that of the youngest Image that was pushed there',
  },
  'force-insecure': { ...boolean, ...integrated, help: 'do not verify the certificate of the registry' },
  kubeconfig: {
    value: 'FILE',
    ...integrated,
    help: 'without it $KUBECONFIG, then the cluster it runs in; its user needs a token and the role system:image-pruner',
  },
  context: { value: 'NAME', ...integrated, help: 'one of the kubeconfig' },
  repository: {
    isList: true,
    value: 'REGISTRY/REPOSITORY',
    ...repositories,
    help: 'where; one is done after the other',
  },
  match: {
    value: 'EXPR',
    read: (text: string) => Expression.whole(text),
    ...repositories,
    help: 'the rules are about tags that it fits whole (RE2), without it all; the others stay',
  },
  ...pruneFlags,
  'no-streams': { ...pruneFlags['no-streams'], ...repositories },
  'registry-config': { ...pruneFlags['registry-config'], ...repositories },
  insecure: { ...pruneFlags.insecure, ...repositories },
  'max-per-registry': { ...pruneFlags['max-per-registry'], ...repositories },
} as const satisfies FlagTable;

export const pruneImagesPage: CommandPage = {
  flags: pruneImagesFlags,
  about: `Without --repository: what oc adm prune images does, with its lines. Items of image streams, and then Images that no stream names, with their links and blobs in the integrated registry. Without --confirm nothing is changed, nor asked of the registry.

With --repository: deletes manifests by digest, as any registry does that has deletes enabled; the space of their blobs is freed by its garbage collection.`,
  notes: `Of the integrated registry: a kind that may use images and cannot be listed ends it before anything is changed. References count in all namespaces, also with -n. A failure is of its object alone. Images with most bytes of their own go first. A run that was stopped goes on where it was: links of what a stream no longer names, and blobs of deleted Images, are kept in the store until they are gone, and taken first. -f names objects in all namespaces.

Of repositories: a manifest goes only when every tag of it may go, no index that stays lists it, no hold is on one of its tags and no image stream names it, now or in its history. Where a tag cannot be read, or image streams are not in sync, nothing that may be needed goes. An image of which it is not known when it was built, or that says before 1990, stays. Most bytes go first, what an index lists after the index, and signatures (sha256-<64 digits>.sig and the like) with what they are for. The repository is listed again before the first deletion, and each tag is read again before that of its manifest. A failure is of its manifest alone. -f names REGISTRY/REPOSITORY@DIGEST.`,
  examples: [
    'quayside prune images --confirm --keep-younger-than 96h \\\n    --registry-url https://image-registry.openshift-image-registry.svc:5000',
    "quayside prune images --repository registry.example.com/team/app --match 'pr-[0-9]+' \\\n    --keep-younger-than 30d --no-streams --confirm",
  ],
  exits: stopped,
};

function revisions(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new Error(`must be a whole number from 0 on, not ${text}`);
}

function days(text: string): number {
  if (/^(?:-1|\d{1,5})$/.test(text)) return Number(text);
  throw new Error(`must be a number of days, or -1 for all, not ${text}`);
}

function listenAddress(text: string): string {
  if (/^(?:\[[0-9a-f:]{2,45}\]|[\w.-]{1,253}):\d{1,5}$/.test(text)) return text;
  throw new Error(`must be HOST:PORT, not ${text}`);
}

const shortestMs = 60_000;

function period(text: string): number {
  const ms = parseMs(text);
  if (ms >= shortestMs) return ms;
  throw new Error('must be 1m or more');
}
