import { concurrently } from '../base/flow/each.ts';
import type { Fields } from '../base/text/json.ts';
import type { MigratedKind } from './kinds.ts';
import { assessed } from './migrate-object.ts';
import type { ReferenceRules } from './rules/rules.ts';

/** A reference that stays, as the new one is not there. */
export interface KeptReference {
  readonly from: string;
  readonly to: string;
  /** For people. */
  readonly why: string;
}

/** Whether a registry has a reference. */
export interface TargetChecks {
  /** The rules, without those of their changes that lead to what is not known to be there. */
  readonly rules: ReferenceRules;
  /**
   * Asks for what the objects would name, each reference once in the whole run. Rejects at the
   * signal alone.
   */
  ask(objects: readonly Fields[], kind: MigratedKind): Promise<void>;
  /** What of the object stays for that. */
  kept(object: Fields, kind: MigratedKind): readonly KeptReference[];
}

interface TargetCheckOptions {
  readonly rules: ReferenceRules;
  /** Why the reference must not be written: undefined where it is there. Rejects at the signal. */
  readonly whyNot: (reference: string) => Promise<string | undefined>;
  /** References at a time. */
  readonly atOnce: number;
}

/** Of the mappings alone: everything is believed to be there. */
export function withoutChecks(rules: ReferenceRules): TargetChecks {
  return { rules, ask: async () => undefined, kept: () => [] };
}

/** Nothing is asked yet. What could not be told is not asked again. */
export function createTargetChecks({ rules, whyNot, atOnce }: TargetCheckOptions): TargetChecks {
  const known = new Map<string, string | undefined>();

  function wishes(object: Fields, kind: MigratedKind): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    const noting: ReferenceRules = {
      ...rules,
      reference(text) {
        const to = rules.reference(text);
        if (to !== text) found.set(text, to);
        return to;
      },
    };
    return isChanged(object, kind, noting) ? found : new Map();
  }

  const obstacle = (to: string): string | undefined =>
    known.has(to) ? known.get(to) : 'it was not asked for';

  return {
    rules: {
      ...rules,
      reference(text) {
        const to = rules.reference(text);
        return to === text || obstacle(to) === undefined ? to : text;
      },
    },
    async ask(objects, kind) {
      const wanted = new Set(objects.flatMap((object) => [...wishes(object, kind).values()]));
      const unknown = [...wanted].filter((to) => !known.has(to));
      await concurrently(unknown, atOnce, async (to) => void known.set(to, await whyNot(to)));
    },
    kept: (object, kind) =>
      [...wishes(object, kind)].flatMap(([from, to]) => {
        const why = obstacle(to);
        return why === undefined ? [] : [{ from, to, why }];
      }),
  };
}

/** What cannot be changed is told when it is looked at. */
function isChanged(object: Fields, kind: MigratedKind, rules: ReferenceRules): boolean {
  try {
    return assessed(object, kind, rules).state === 'migrated';
  } catch {
    return false;
  }
}
