import { hash } from 'node:crypto';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { concurrently } from '../../base/flow/each.ts';
import { parseLocatedYaml } from '../ci/located-yaml.ts';
import { type ConfigFacts, createFactReader, type StepFacts } from './facts.ts';
import { findUsedByTests } from './steps.ts';

/** What all configurations of a checkout use, and promote. */
export interface CheckoutReading {
  /** `namespace/name:tag`, and `imagestream_namespace/name` for a whole stream. */
  readonly keys: ReadonlySet<string>;
  /** The tags that they promote to, `namespace/name:tag`. */
  readonly promoted: ReadonlySet<string>;
  readonly files: number;
  /** Files that could not be read, each told of once for as long as it stays the same. */
  readonly faults: readonly { readonly file: string; readonly error: string }[];
  /** References of tests that the step registry lacks, such as `chain ipi-aws`; reported once. */
  readonly unknown: readonly string[];
}

/** A checkout of openshift/release. */
export interface Checkout {
  /** Reads it whole; skips unchanged files. Rejects without a checkout; faults are collected. */
  read(): Promise<CheckoutReading>;
}

interface FileFacts {
  readonly config?: ConfigFacts;
  readonly step?: StepFacts;
}

/** Which files lie where. */
const parts = [
  { folder: 'ci-operator/config', isOurs: /\.ya?ml$/, kind: 'config' },
  { folder: 'ci-operator/step-registry', isOurs: /-(?:ref|chain|workflow|observer)\.yaml$/, kind: 'step' },
] as const;

type Kind = (typeof parts)[number]['kind'];

interface CheckoutPlace {
  /** From the root. */
  readonly file: string;
  readonly kind: Kind;
}

const readAtATime = 8;

/** `folder` may be a symbolic link that moves from one commit to the next, as by git-sync. */
export function createCheckout(folder: string): Checkout {
  const reader = createFactReader();
  let known: ReadonlyMap<string, FileFacts> = new Map();
  let told: ReadonlySet<string> = new Set();

  function parsed(bytes: Uint8Array, kind: Kind): FileFacts {
    const data = parseLocatedYaml(bytes).data;
    if (kind === 'config') return { config: reader.config(data) };
    const step = reader.step(data);
    if (step === undefined) throw new Error('defines no step');
    return { step };
  }

  async function facts(root: string) {
    const places = await placesIn(root);
    const found = new Map<string, FileFacts>();
    const faults: { file: string; error: string }[] = [];
    await concurrently(places, readAtATime, async ({ file, kind }) => {
      try {
        const bytes = await readFile(join(root, file));
        const key = `${kind} ${hash('sha256', bytes)}`;
        const before = found.get(key) ?? known.get(key);
        found.set(key, before ?? {});
        if (before === undefined) found.set(key, parsed(bytes, kind));
      } catch (error) {
        faults.push({ file, error: error instanceof Error ? error.message : String(error) });
      }
    });
    return { found, faults, files: places.length };
  }

  return {
    async read() {
      for (;;) {
        const root = await realpath(folder);
        const { found, faults, files } = await facts(root);
        if ((await realpath(folder)) !== root) continue;
        const { keys, promoted, unknown } = used([...found.values()]);
        const news = [...unknown].filter((name) => !told.has(name));
        [known, told] = [found, unknown];
        return { keys, promoted, files, faults, unknown: news };
      }
    },
  };
}

function used(files: readonly FileFacts[]) {
  const configs = files.flatMap(({ config }) => config ?? []);
  const { tags, unknown } = findUsedByTests(
    files.flatMap(({ step }) => step ?? []),
    configs.flatMap(({ tests }) => tests),
  );
  const keys = new Set(tags);
  for (const config of configs) {
    for (const tag of config.tags) keys.add(tag);
    for (const stream of config.streams) keys.add(`imagestream_${stream}`);
  }
  return { keys, promoted: new Set(configs.flatMap(({ promoted }) => promoted)), unknown };
}

async function placesIn(root: string): Promise<readonly CheckoutPlace[]> {
  const lists = await Promise.all(
    parts.map(async ({ folder, isOurs, kind }) => {
      const names = await readdir(join(root, folder), { recursive: true });
      return names.filter((name) => isOurs.test(name)).map((name) => ({ file: join(folder, name), kind }));
    }),
  );
  return lists.flat();
}
