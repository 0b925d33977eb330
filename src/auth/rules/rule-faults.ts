import type { Expression } from '../../base/text/expression.ts';
import { groupsNamedIn } from './rule-question.ts';
import type { Rule } from './rules.ts';

/** What a rule may say; exactly one of them. */
const ruleActions = ['ask', 'askImageStreams', 'allow', 'refuse', 'followDigest'] as const;

export type RuleAction = (typeof ruleActions)[number];

interface CheckedRule extends Pick<Rule, Exclude<RuleAction, 'ask'>> {
  readonly ask?: Rule['ask'] | undefined;
  readonly repositories: Pick<Expression, 'groups'>;
  readonly tags?: Pick<Expression, 'groups'> | undefined;
}

interface RuleFault {
  /** Inside the rule; empty for the whole. */
  readonly path: readonly string[];
  /** One clause that follows the path. */
  readonly message: string;
}

/** Checks a rule, for the configuration and the rule book alike. Empty for one that may decide. */
export function ruleFaults(rule: CheckedRule, actions: readonly RuleAction[] = ruleActions): RuleFault[] {
  const { repositories, tags, ask } = rule;
  const given = actions.filter((action) => rule[action] !== undefined);
  const groups = new Set([...repositories.groups, ...(tags?.groups ?? [])]);
  const faults: RuleFault[] = [];
  if (given.length !== 1) {
    const found = given.join(' and ') || 'none';
    faults.push({ path: [], message: `must hold exactly one of ${actions.join(', ')}, not ${found}` });
  }
  if (rule.followDigest === true && tags?.groups.includes('hex') !== true)
    faults.push({ path: ['tags'], message: 'must have a group hex, for followDigest' });
  if (rule.askImageStreams === true && tags === undefined)
    faults.push({ path: ['tags'], message: 'is required for askImageStreams' });
  for (const [part, template] of Object.entries<string>({ ...ask })) {
    for (const group of groupsNamedIn(template)) {
      if (!groups.has(group))
        faults.push({ path: ['ask', part], message: `no expression of the rule has a group ${group}` });
    }
  }
  return faults;
}
