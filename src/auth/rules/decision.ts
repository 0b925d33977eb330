import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Decision, Subject } from '../access.ts';
import type { Judge, Verdict } from '../clusters/cluster.ts';
import type { Question } from '../question.ts';
import { isExempt } from './exempt.ts';
import type { AskRuling, FinalRuling } from './rules.ts';

/** The decision of the ruling for the subject. Asks the cluster if needed; throws `UNAVAILABLE`. */
export function decided(judge: Judge, subject: Subject, ruling: FinalRuling): MaybePromise<Decision> {
  if (!isAsked(subject, ruling)) return unasked(ruling);
  const verdict = allAllowed(ruling.questions, (question) => judge.ask(subject, question));
  return andThen(verdict, (found) => judged(subject, ruling, found));
}

/** The decision of the ruling if it is known without asking; else undefined. */
export function recalled(judge: Judge, subject: Subject, ruling: FinalRuling): Decision | undefined {
  if (!isAsked(subject, ruling)) return unasked(ruling);
  let yes: Verdict | undefined;
  let isOpen = false;
  for (const question of ruling.questions) {
    const verdict = judge.recall(subject, question);
    if (verdict?.allowed === false) return judged(subject, ruling, verdict);
    isOpen ||= verdict === undefined;
    yes ??= verdict;
  }
  return isOpen || yes === undefined ? undefined : judged(subject, ruling, yes);
}

/** What a person without the right that the ruling asks for should do, in one clause. */
export function advice({ text }: AskRuling, { cluster = 'none' }: Subject): string {
  return `ask for a role that allows \`${text}\` on cluster ${cluster}`;
}

/** Asks in turn, up to the first no. The verdict is remembered where all the answers were. */
function allAllowed(
  questions: readonly Question[],
  ask: (question: Question) => MaybePromise<Verdict>,
  at = 0,
): MaybePromise<Verdict> {
  const question = questions[at];
  if (question === undefined) return { allowed: false };
  if (at === questions.length - 1) return ask(question);
  return andThen(ask(question), (verdict): MaybePromise<Verdict> => {
    if (!verdict.allowed) return verdict;
    return andThen(allAllowed(questions, ask, at + 1), (rest) =>
      verdict.isRemembered === true || !rest.allowed ? rest : verdict,
    );
  });
}

function isAsked(subject: Subject, ruling: FinalRuling): ruling is AskRuling {
  return ruling.kind === 'ask' && !isExempt(subject, ruling.exempt);
}

function unasked(ruling: FinalRuling): Decision {
  const { rule } = ruling;
  if (ruling.kind !== 'refuse') return { allowed: true, rule };
  return { allowed: false, rule, reason: ruling.reason ?? `the access rule ${rule} allows no pull here` };
}

function judged(subject: Subject, ruling: AskRuling, { allowed, isRemembered }: Verdict): Decision {
  return {
    allowed,
    rule: ruling.rule,
    question: ruling.text,
    ...(allowed ? {} : { reason: `your login may not pull this: ${advice(ruling, subject)}` }),
    ...(subject.cluster === undefined ? {} : { cluster: subject.cluster }),
    ...(isRemembered === undefined ? {} : { isRemembered }),
  };
}
