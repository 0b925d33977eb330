import type { Answer, Decision, Subject } from './access.ts';
import { answered } from './answer.ts';
import type { Judge, Verdict } from './cluster.ts';
import { isExempt } from './exempt.ts';
import type { AskRuling, FinalRuling } from './rules.ts';

/** What the ruling comes to for the subject. The cluster is asked where it must be; throws `UNAVAILABLE` when it does not answer. */
export function decided(judge: Judge, subject: Subject, ruling: FinalRuling): Answer<Decision> {
  if (!isAsked(subject, ruling)) return unasked(ruling);
  return answered(judge.ask(subject, ruling.question), (verdict) => judged(subject, ruling, verdict));
}

/** What the ruling comes to as far as that is known without asking; else undefined. */
export function recalled(judge: Judge, subject: Subject, ruling: FinalRuling): Decision | undefined {
  if (!isAsked(subject, ruling)) return unasked(ruling);
  const verdict = judge.recall(subject, ruling.question);
  return verdict === undefined ? undefined : judged(subject, ruling, verdict);
}

/** What a person without the right that the ruling asks for should do, in one clause. */
export function advice({ text }: AskRuling, { cluster = 'none' }: Subject): string {
  return `ask for a role that allows \`${text}\` on cluster ${cluster}`;
}

/** Whether it takes the word of the subject's cluster. */
function isAsked(subject: Subject, ruling: FinalRuling): ruling is AskRuling {
  return ruling.kind === 'ask' && !isExempt(subject, ruling.exempt);
}

function unasked(ruling: FinalRuling): Decision {
  const { rule } = ruling;
  if (ruling.kind !== 'refuse') return { allowed: true, rule };
  return { allowed: false, rule, reason: ruling.reason ?? 'nobody may pull this' };
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
