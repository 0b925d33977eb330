import { field, isText, listOf } from '../base/text/json.ts';
import {
  buildFields,
  type FieldFinder,
  type FieldPath,
  imageFields,
  podFields,
  streamHistory,
  streamSpec,
} from './fields.ts';

/** A kind of object that names images. */
export interface MigratedKind {
  /** Plural, as in paths. */
  readonly resource: string;
  /** '' for the core. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Other words for it, besides the plural and the kind. */
  readonly short?: string;
  readonly isNamespaced: boolean;
  /** Lists that together hold all that matter; default: one of all. */
  readonly selectors?: readonly string[];
  /** Holds logins instead of references. */
  readonly hasLogins?: true;
  /** Leads to the spec of its pods. */
  readonly podSpec?: FieldPath;
  readonly fields: FieldFinder;
  /** What is written first, by the end-point for status. */
  readonly history?: FieldFinder;
  /** Nothing reads its images any more. */
  readonly isOver?: (object: unknown) => boolean;
  /** Why its images cannot be changed. */
  readonly isFixed?: string;
}

const core = { group: '', version: 'v1', isNamespaced: true };
const apps = { group: 'apps', version: 'v1', isNamespaced: true };
const batch = { group: 'batch', version: 'v1', isNamespaced: true };
const podsAt = (...podSpec: readonly string[]) => ({ podSpec, fields: podFields(...podSpec) });
const template = podsAt('spec', 'template', 'spec');
const none: FieldFinder = () => [];

export const secretKind: MigratedKind = {
  ...{ ...core, kind: 'Secret', resource: 'secrets', hasLogins: true, fields: none },
  selectors: ['type=kubernetes.io/dockercfg', 'type=kubernetes.io/dockerconfigjson'],
};

/** Is read alone: it names the pull secrets of its pods. */
export const serviceAccountKind: MigratedKind = {
  ...core,
  kind: 'ServiceAccount',
  resource: 'serviceaccounts',
  fields: none,
};

/** In the order in which they are migrated: what is pulled from last, with the logins before it. */
export const migratedKinds: readonly MigratedKind[] = [
  {
    ...{ group: 'image.openshift.io', version: 'v1', kind: 'ImageStream', resource: 'imagestreams' },
    ...{ short: 'is', isNamespaced: true, fields: streamSpec, history: streamHistory },
  },
  {
    ...{ group: 'image.openshift.io', version: 'v1', kind: 'Image', resource: 'images' },
    ...{ isNamespaced: false, fields: imageFields },
  },
  secretKind,
  {
    ...{ group: 'build.openshift.io', version: 'v1', kind: 'BuildConfig', resource: 'buildconfigs' },
    ...{ short: 'bc', isNamespaced: true, fields: buildFields },
  },
  { ...apps, kind: 'Deployment', resource: 'deployments', short: 'deploy', ...template },
  { ...apps, kind: 'StatefulSet', resource: 'statefulsets', short: 'sts', ...template },
  { ...apps, kind: 'DaemonSet', resource: 'daemonsets', short: 'ds', ...template },
  {
    ...{ group: 'apps.openshift.io', version: 'v1', kind: 'DeploymentConfig', resource: 'deploymentconfigs' },
    ...{ short: 'dc', isNamespaced: true, ...template },
  },
  {
    ...{ ...batch, kind: 'CronJob', resource: 'cronjobs', short: 'cj' },
    ...podsAt('spec', 'jobTemplate', 'spec', 'template', 'spec'),
  },
  { ...apps, kind: 'ReplicaSet', resource: 'replicasets', short: 'rs', ...template },
  {
    ...core,
    kind: 'ReplicationController',
    resource: 'replicationcontrollers',
    short: 'rc',
    ...template,
  },
  {
    ...{ ...batch, kind: 'Job', resource: 'jobs', ...template },
    isOver: (object) => hasCondition(object, 'Complete') || hasCondition(object, 'Failed'),
    isFixed: 'the images of a Job cannot be changed: delete it and create it anew',
  },
  {
    ...{ ...core, kind: 'Pod', resource: 'pods', short: 'po', ...podsAt('spec') },
    isOver: (object) => ['Succeeded', 'Failed'].includes(String(field(field(object, 'status'), 'phase'))),
  },
];

/** As of `oc adm migrate`. */
export const usualKinds = migratedKinds.slice(0, 3);

/** The kind of a word: `deployment`, `deployments.apps`, `deploy`; undefined for none. */
export function kindNamed(word: string): MigratedKind | undefined {
  const name = word.toLowerCase();
  return migratedKinds.find(({ resource, group, kind, short }) => {
    const words = [resource, kind.toLowerCase(), ...(short === undefined ? [] : [short])];
    return words.includes(name) || (group !== '' && name === `${resource}.${group}`);
  });
}

/** `deployments.apps`, as kubectl names it. */
export function resourceName({ resource, group }: MigratedKind): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** Who keeps the object as it is: `ReplicaSet/web-7f`, with the kind alone; undefined for none. */
export function controllerOf(object: unknown): { readonly kind: string; readonly name: string } | undefined {
  const owner = listOf(field(field(object, 'metadata'), 'ownerReferences')).find(
    (each) => field(each, 'controller') === true,
  );
  const [kind, name] = [field(owner, 'kind'), field(owner, 'name')];
  return isText(kind) && isText(name) ? { kind, name } : undefined;
}

function hasCondition(object: unknown, type: string): boolean {
  return listOf(field(field(object, 'status'), 'conditions')).some(
    (each) => field(each, 'type') === type && field(each, 'status') === 'True',
  );
}
