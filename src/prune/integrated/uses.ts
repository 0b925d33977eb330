import { field, fieldsOf, isText, listOf, textOf } from '../../base/text/json.ts';
import type { UseTable } from './use-table.ts';

interface UseRules {
  /** Pods that ended are in use while they are younger than this, milliseconds. */
  readonly keepYoungerThanMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Where each kind has the spec of its pods. */
const podSpecAt: Readonly<Record<string, readonly string[]>> = {
  pod: ['spec'],
  replicationcontroller: ['spec', 'template', 'spec'],
  deploymentconfig: ['spec', 'template', 'spec'],
  daemonset: ['spec', 'template', 'spec'],
  deployment: ['spec', 'template', 'spec'],
  replicaset: ['spec', 'template', 'spec'],
  statefulset: ['spec', 'template', 'spec'],
  job: ['spec', 'template', 'spec'],
  cronjob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};

const strategies = ['sourceStrategy', 'dockerStrategy', 'customStrategy'];

/** Notes what an object uses. `kind` in lower case, in the singular. */
export function addUses(kind: string, object: unknown, table: UseTable, rules: UseRules): void {
  const metadata = field(object, 'metadata');
  const namespace = textOf(field(metadata, 'namespace')) ?? '';
  const at = `${kind}/${textOf(field(metadata, 'name')) ?? ''} namespace=${namespace}`;
  if (kind === 'build' || kind === 'buildconfig') {
    addStrategies(object, namespace, at, table);
    return;
  }
  if (kind === 'pod' && isOver(object, rules)) return;
  const spec = below(object, podSpecAt[kind] ?? []);
  addContainers(listOf(field(spec, 'initContainers')), 'init container', { namespace, at, table });
  addContainers(listOf(field(spec, 'containers')), 'container', { namespace, at, table });
  addContainers(listOf(field(spec, 'ephemeralContainers')), 'container', { namespace, at, table });
}

interface PodOwner {
  readonly namespace: string;
  readonly at: string;
  readonly table: UseTable;
}

function addContainers(
  containers: readonly unknown[],
  what: string,
  { namespace, at, table }: PodOwner,
): void {
  for (const [index, container] of containers.entries()) {
    const image = field(container, 'image');
    if (!isText(image)) continue;
    table.addText(image, namespace, `${at}: ${what} ${textOf(field(container, 'name')) ?? index}`);
  }
}

/** Neither running nor to be run, and old. What has an unknown phase may run. */
function isOver(pod: unknown, { now, keepYoungerThanMs }: UseRules): boolean {
  const phase = field(field(pod, 'status'), 'phase');
  if (phase !== 'Succeeded' && phase !== 'Failed') return false;
  const createdAt = Date.parse(textOf(field(field(pod, 'metadata'), 'creationTimestamp')) ?? '');
  return now - createdAt > keepYoungerThanMs;
}

function addStrategies(object: unknown, namespace: string, at: string, table: UseTable): void {
  const strategy = below(object, ['spec', 'strategy']);
  for (const each of strategies) {
    const from = fieldsOf(field(field(strategy, each), 'from'));
    const [kind, name] = [textOf(from['kind']), textOf(from['name'])];
    if (kind === undefined || name === undefined) continue;
    const owner = textOf(from['namespace']) ?? namespace;
    if (kind === 'DockerImage') table.addText(name, namespace, at);
    else if (kind === 'ImageStreamTag') addParts(name, ':', owner, at, table);
    else if (kind === 'ImageStreamImage') addParts(name, '@', owner, at, table);
  }
}

function addParts(text: string, separator: ':' | '@', namespace: string, at: string, table: UseTable): void {
  const [name = '', rest = '', ...more] = text.trim().split(separator === '@' ? '@' : ':');
  const isWhole = name !== '' && rest !== '' && (separator === '@' || more.length === 0);
  const kind = separator === '@' ? 'ImageStreamImage' : 'ImageStreamTag';
  if (!isWhole) table.addBad(text, namespace, `${at}: invalid ${kind} reference`);
  else if (separator === '@') table.addDigest({ namespace, name }, rest);
  else table.addTag({ namespace, name }, rest);
}

function below(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => field(value, name), object);
}
