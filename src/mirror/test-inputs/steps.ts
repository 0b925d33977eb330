import type { StepFacts, Steps, TestFacts } from './facts.ts';

interface UsedByTests {
  /** `namespace/name:tag` */
  readonly tags: ReadonlySet<string>;
  /** What they refer to and the step registry does not have, such as `chain ipi-aws`. */
  readonly unknown: ReadonlySet<string>;
}

/**
 * Resolves the parts of tests. Thousands of tests share a few hundred chains and workflows: each is
 * walked once. A cycle ends there; of two definitions the last one wins.
 */
export function findUsedByTests(registry: Iterable<StepFacts>, tests: Iterable<TestFacts>): UsedByTests {
  const { steps, workflows } = named(registry);
  const tags = new Set<string>();
  const unknown = new Set<string>();
  const known = new Map<Steps, Set<string>>();

  /** Of a list with all its references. They belong to one test: another may lack them. */
  function observersOf(list: Steps): ReadonlySet<string> {
    const before = known.get(list);
    if (before !== undefined) return before;
    const observers = new Set(list.observers);
    known.set(list, observers);
    addAll(tags, list.tags);
    for (const ref of list.refs) addAll(observers, observersAt(`ref ${ref}`));
    for (const chain of list.chains) addAll(observers, observersAt(`chain ${chain}`));
    return observers;
  }

  function observersAt(key: string): ReadonlySet<string> {
    const list = steps.get(key);
    if (list === undefined) unknown.add(key);
    return list === undefined ? new Set() : observersOf(list);
  }

  function workflowOf({ workflow }: TestFacts): TestFacts | undefined {
    const found = workflow === undefined ? undefined : workflows.get(workflow);
    if (workflow !== undefined && found === undefined) unknown.add(`workflow ${workflow}`);
    return found;
  }

  for (const each of tests) {
    const { pre, test, post, observers } = { ...workflowOf(each), ...each };
    const enabled = new Set(observers?.enable);
    for (const list of [pre, test, post]) if (list !== undefined) addAll(enabled, observersOf(list));
    for (const name of observers?.disable ?? []) enabled.delete(name);
    for (const name of enabled) observersAt(`observer ${name}`);
  }
  return { tags, unknown };
}

function named(registry: Iterable<StepFacts>) {
  const steps = new Map<string, Steps>();
  const workflows = new Map<string, TestFacts>();
  for (const file of registry) {
    if (file.kind === 'workflow') workflows.set(file.name, file.test);
    else steps.set(`${file.kind} ${file.name}`, file.steps);
  }
  return { steps, workflows };
}

function addAll(set: Set<string>, items: Iterable<string>): void {
  for (const item of items) set.add(item);
}
