import { createHash } from 'node:crypto';
import type { Digest } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { parseRepository, type Tag } from '../../src/oci/reference.ts';
import type { RegistryReader } from '../../src/oci/registry-reader.ts';
import type { PruneEvents, PrunePlace } from '../../src/prune/place.ts';
import type { PrunePlan } from '../../src/prune/plan.ts';
import type { PruneOutcome } from '../../src/prune/run.ts';

export function digestFor(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;
}

/** The same numbers each time. */
export function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = Math.imul(state, 1_103_515_245) + 12_345;
    return (state >>> 12) % below;
  };
}

/** A repository in memory; `before` is called in front of each call, and may throw. */
export interface MemoryPlace extends PrunePlace {
  readonly tags: Map<string, Digest>;
  /** `delete TAG` and `put TAG` in order. */
  readonly writes: string[];
}

type Call = 'list' | 'read' | 'delete' | 'put';

/** Lists in pages of three. */
export function memoryPlace(
  tags: Readonly<Record<string, string>>,
  before: (call: Call, subject: string) => void = () => undefined,
): MemoryPlace {
  const held = new Map(Object.entries(tags).map(([tag, image]) => [tag, digestFor(image)]));
  const writes: string[] = [];
  const called = async (call: Call, subject: string): Promise<void> => before(call, subject);
  const unused = async (): Promise<never> => {
    throw new RegistryError('UNSUPPORTED', 'not in this test');
  };
  const reader: RegistryReader = {
    name: 'memory',
    async tags(_repository, query) {
      const last = new URLSearchParams(query).get('last') ?? '';
      await called('list', last);
      const all = [...held.keys()].filter((tag) => tag > last).sort((one, other) => (one < other ? -1 : 1));
      return {
        tags: all.slice(0, 3) as Tag[],
        warnings: [],
        ...(all.length > 3 ? { nextQuery: 'next' } : {}),
      };
    },
    async manifest(_repository, { tag = '' }) {
      await called('read', tag);
      const digest = held.get(tag);
      if (digest === undefined) return { kind: 'absent' };
      return { kind: 'found', descriptor: { digest, size: 1, mediaType: 'x' }, warnings: [] };
    },
    statBlob: unused,
    openBlob: unused,
    referrers: unused,
  };
  return {
    ...{
      name: 'quay.io/openshift/ci',
      reader,
      repository: parseRepository('openshift/ci'),
      tags: held,
      writes,
    },
    async deleteTag(tag) {
      await called('delete', tag);
      writes.push(`delete ${tag}`);
      held.delete(tag);
    },
    async putTag(tag, digest) {
      await called('put', tag);
      writes.push(`put ${tag}`);
      held.set(tag, digest);
    },
  };
}

/** Events that are kept. */
export function keptEvents() {
  const plans: PrunePlan[] = [];
  const outcomes: PruneOutcome[] = [];
  const unread: string[] = [];
  const events: PruneEvents = {
    checked: () => undefined,
    planned: (plan) => plans.push(plan),
    began: () => undefined,
    ended: (outcome) => outcomes.push(outcome),
    unread: (what) => unread.push(what),
  };
  const ended = (kind: string): string[] =>
    outcomes.filter(({ outcome }) => outcome === kind).map(({ id }) => id);
  return { events, plans, outcomes, unread, ended };
}
