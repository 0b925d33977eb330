import { createHash } from 'node:crypto';
import { type QuayDouble, quayDouble } from '../../test/support/quay-double.ts';
import { answerQuestions } from '../servers/worker.ts';

/** What the bench wants of its Quay. */
export type QuayQuestion =
  /** Of so many tags these are old, and an eighth is too young; 5 % of the old ones stay. */
  | { readonly kind: 'start'; readonly tags: number; readonly old: number }
  /** Every tag can be deleted from now on, and so many more are old. */
  | { readonly kind: 'mend'; readonly more: number }
  | { readonly kind: 'counts' };

export interface QuayAnswer {
  readonly host: string;
  /** Requests since the last answer, by kind. */
  readonly requests: Readonly<Record<string, number>>;
  readonly old: number;
  /** Of those, what cannot be deleted. */
  readonly failing: number;
  readonly others: number;
}

const dayMs = 86_400_000;
/** One request of so many is answered 429. */
const throttlesEvery = 97;
const failing = /_old-\d*[02468]7$/;
const quay = await quayDouble();

answerQuestions<QuayQuestion, QuayAnswer>(async (question) => {
  if (question.kind === 'start') start(quay, question);
  if (question.kind === 'mend') {
    delete quay.switches.failsDelete;
    quay.addTags(datedTags('old-more', question.more, 150, 20));
  }
  const requests = Object.fromEntries(quay.counts);
  quay.counts.clear();
  const names = [...quay.tags.keys()];
  const old = names.filter((name) => name.includes('_old-'));
  return {
    ...{ host: quay.host, requests, old: old.length, others: names.length - old.length },
    failing: old.filter((name) => failing.test(name)).length,
  };
});

function start({ switches, addTags }: QuayDouble, { tags, old }: { tags: number; old: number }): void {
  const young = tags / 8;
  addTags(datedTags('old', old, 180, 10));
  addTags(datedTags('young', young, 2, 1));
  const floats = Array.from({ length: tags - old - young }, (_, index) => `ocp_4.20_component-${index}`);
  addTags(floats.map((name) => [name, digestFor(name)] as const));
  switches.failsDelete = (tag) => (failing.test(tag) ? 500 : undefined);
  switches.throttlesEvery = throttlesEvery;
}

/** Kept between so many days ago, evenly. */
function* datedTags(label: string, count: number, from: number, to: number): Generator<[string, string]> {
  for (let index = 0; index < count; index += 1) {
    const at = Date.now() - dayMs * (from - ((from - to) * index) / count);
    const digits = new Date(at).toISOString().replace(/\D/g, '').slice(0, 14);
    const tag = `${digits}_prune_ocp_4.20_${label}-${index}`;
    yield [tag, digestFor(tag)];
  }
}

function digestFor(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
