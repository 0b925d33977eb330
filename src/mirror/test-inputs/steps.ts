import type { StepFacts, Steps, TestFacts } from './facts.ts';

/** What a test uses once all that it refers to is looked up. */
export interface UsedByTest {
  readonly tags: ReadonlySet<string>;
  /** What it refers to and the registry does not have, such as `chain ipi-aws`. */
  readonly unknown: ReadonlySet<string>;
}

/** The step registry, as far as images go. */
export interface StepRegistry {
  usedBy(test: TestFacts): UsedByTest;
}

interface Used {
  readonly tags: Set<string>;
  readonly observers: Set<string>;
  readonly unknown: Set<string>;
}

/** A thing that is defined twice is what it was defined as last. */
export function stepRegistry(files: Iterable<StepFacts>): StepRegistry {
  const steps = new Map<string, Steps>();
  const workflows = new Map<string, TestFacts>();
  for (const file of files) {
    if (file.kind === 'workflow') workflows.set(file.name, file.test);
    else steps.set(`${file.kind} ${file.name}`, file.steps);
  }
  /** Thousands of tests share a few hundred chains and workflows. A chain that leads back to itself ends there. */
  const known = new Map<Steps, Used>();

  function usedOf(list: Steps): Used {
    const before = known.get(list);
    if (before !== undefined) return before;
    const used = nothing();
    known.set(list, used);
    addAll(used.tags, list.tags);
    addAll(used.observers, list.observers);
    for (const ref of list.refs) take(used, `ref ${ref}`);
    for (const chain of list.chains) take(used, `chain ${chain}`);
    return used;
  }

  function take(used: Used, key: string): void {
    const list = steps.get(key);
    if (list === undefined) used.unknown.add(key);
    else add(used, usedOf(list));
  }

  return {
    usedBy(test) {
      const used = nothing();
      const workflow = test.workflow === undefined ? {} : workflows.get(test.workflow);
      if (workflow === undefined) used.unknown.add(`workflow ${test.workflow}`);
      const { pre, test: main, post, observers } = { ...workflow, ...test };
      for (const list of [pre, main, post]) if (list !== undefined) add(used, usedOf(list));
      addAll(used.observers, observers?.enable ?? []);
      for (const name of observers?.disable ?? []) used.observers.delete(name);
      for (const name of used.observers) take(used, `observer ${name}`);
      return used;
    },
  };
}

function nothing(): Used {
  return { tags: new Set(), observers: new Set(), unknown: new Set() };
}

function add(used: Used, more: Used): void {
  addAll(used.tags, more.tags);
  addAll(used.observers, more.observers);
  addAll(used.unknown, more.unknown);
}

function addAll(set: Set<string>, items: Iterable<string>): void {
  for (const item of items) set.add(item);
}
