import { createLru } from '../../base/state/lru.ts';
import { defined } from '../../base/text/defined.ts';
import type { Subject } from '../access.ts';
import type { PathQuestion, Question } from '../question.ts';
import { subjectId, subjectText } from '../subject.ts';
import { createAnswerCache } from './answer-cache.ts';
import type { Cluster, ClusterEvents, RememberedCluster, Verdict } from './cluster.ts';
import { claimsOf } from './cluster-token.ts';
import { createKeyedHash } from './keyed-hash.ts';
import type { ReviewedToken, SharedReviews } from './shared-reviews.ts';

export interface RememberedOptions {
  /** For an accepted token, in milliseconds; never past the token's own expiry. Default 120,000. */
  readonly tokenMs?: number;
  /** How long a token that it does not know, in milliseconds. Default 30,000. */
  readonly badTokenMs?: number;
  /** How long a right, in milliseconds. Default 300,000. */
  readonly allowMs?: number;
  /** How long a right that is missing, in milliseconds. Default 30,000. */
  readonly denyMs?: number;
  /** Answers kept, of each kind. Default 50,000. */
  readonly maxEntries?: number;
  /** The clock, in milliseconds since the epoch. Default: one that never goes back. */
  readonly now?: () => number;
  readonly events?: Pick<Partial<ClusterEvents>, 'remembered'>;
  /** The accepted tokens of other replicas. Default: each process asks for itself. */
  readonly shared?: SharedReviews | undefined;
}

/**
 * Remembers a cluster's answers, and sends each review once for all who wait. An answer is valid
 * until it expires, also while the cluster is down; failures are not kept. Tokens are keyed hashes,
 * rights are by everything sent about the subject. Remembered answers are plain values.
 */
export function remembered(cluster: Cluster, options: RememberedOptions = {}): RememberedCluster {
  const { tokenMs = 120_000, badTokenMs = 30_000, allowMs = 300_000, denyMs = 30_000 } = options;
  const { maxEntries = 50_000, now = steadyNow, events, shared } = options;
  const tokens = createAnswerCache<ReviewedToken>({
    isYes: ({ subject }) => subject !== undefined,
    sizeOf: ({ subject }) => (subject === undefined ? 1 : subjectText(subject).length),
    leftMsOf: ({ leftMs }) => leftMs,
    yesMs: tokenMs,
    noMs: badTokenMs,
    maxEntries,
    now,
  });
  const rights = createAnswerCache<Verdict>({
    isYes: ({ allowed }) => allowed,
    yesMs: allowMs,
    noMs: denyMs,
    maxEntries,
    now,
  });
  /** Namespaces in which a subject was allowed something. */
  const familiar = createLru<string, true>(maxEntries);
  const hashOf = createKeyedHash();
  const idOf = subjectIds();
  const keyOf = (subject: Subject, question: Question | PathQuestion) =>
    `${idOf(subject)}\n${questionKey(question)}`;
  const placeKey = (subject: Subject, namespace: string) => `${idOf(subject)}\n${namespace}`;

  function recall(key: string): Verdict | undefined {
    const found = rights.find(key)?.value;
    if (found !== undefined) events?.remembered?.({ cluster: cluster.name, kind: 'access' });
    return found;
  }

  async function reviewAnew(token: string, isKnown: boolean, address?: string): Promise<ReviewedToken> {
    const ask = () => cluster.review(token, address, isKnown);
    if (shared === undefined) return defined({ subject: await ask() });
    const answer = await shared.reviewed(token, ask, { address, isKnown });
    if (answer.isShared === true) events?.remembered?.({ cluster: cluster.name, kind: 'shared' });
    return answer;
  }

  async function askAnew(key: string, subject: Subject, question: Question | PathQuestion): Promise<Verdict> {
    const answer = async () => ({ ...(await cluster.ask(subject, question)), isRemembered: true });
    const verdict = await rights.ask(key, answer);
    if (verdict.allowed && 'namespace' in question) familiar.set(placeKey(subject, question.namespace), true);
    return { ...verdict, isRemembered: false };
  }

  return {
    name: cluster.name,
    review(token, address) {
      const key = hashOf(token);
      const found = tokens.find(key);
      if (found === undefined)
        return tokens
          .ask(key, () => reviewAnew(token, tokens.wasYes(key), address), claimsOf(token)?.expiresAtMs)
          .then(({ subject }) => subject);
      events?.remembered?.({ cluster: cluster.name, kind: 'token' });
      return found.value.subject;
    },
    recall: (subject, question) => recall(keyOf(subject, question)),
    wasAllowed: (subject, question) => rights.wasYes(keyOf(subject, question)),
    wasAllowedIn: (subject, namespace) => familiar.has(placeKey(subject, namespace)),
    ask(subject, question) {
      const key = keyOf(subject, question);
      return recall(key) ?? askAnew(key, subject, question);
    },
    forget() {
      shared?.forget();
      tokens.clear();
      rights.clear();
      familiar.clear();
    },
    async close() {
      await shared?.settled();
      await cluster.close();
    },
  };
}

/** Subjects are long, and the same object comes back with each request of a token. */
function subjectIds(): (subject: Subject) => string {
  const ids = new WeakMap<Subject, string>();
  return (subject) => {
    const held = ids.get(subject);
    if (held !== undefined) return held;
    const id = subjectId(subjectText(subject));
    ids.set(subject, id);
    return id;
  };
}

function questionKey(question: Question | PathQuestion): string {
  if ('path' in question) return `${question.verb}\n${question.path}`;
  const { verb, group, version = '', resource, subresource = '', namespace, name } = question;
  return `${verb}\n${group}\n${version}\n${resource}\n${subresource}\n${namespace}\n${name === undefined ? '' : `=${name}`}`;
}

function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}
