// Room `cli/access`: quayside access: who may pull what, and why. In: a configuration and a
// subject. Out: a report; a call to a running server. Imports: every room below.

import { configuredRules } from '../../app/generations/access.ts';
import { configuredReadings } from '../../app/mirror/rules.ts';
import type { Access, ContentProofs, ContentTags, Decision } from '../../auth/access.ts';
import type { Judge } from '../../auth/clusters/cluster.ts';
import { questionText } from '../../auth/question.ts';
import { createAuthorizer } from '../../auth/rules/ruled-access.ts';
import type { RuleBook } from '../../auth/rules/rules.ts';
import { defined } from '../../base/text/defined.ts';
import { scrubbed } from '../../base/text/redaction.ts';
import type { Config } from '../../config/load.ts';
import type { StreamIndex } from '../../image-streams/stream-index.ts';
import { referenceText } from '../../oci/reference.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import type { Run } from '../flags/io.ts';
import { isJson } from '../flags/values.ts';
import { accessCheckFlags } from '../pages/server.ts';
import { configFile } from '../serve/config-file.ts';
import { type AccessQuestion, accessQuestion } from './access-question.ts';

/** What a check asks, beside the rules. */
export interface AccessSources {
  readonly judge: Judge;
  /** By the store. */
  readonly reach: ContentTags & ContentProofs;
  /**
   * The image streams of the cluster, once they are read or a minute is over; undefined where they
   * are not followed. For pulls by digest only: it reads all of them.
   */
  streams(): Promise<StreamIndex | undefined>;
  close(): Promise<void>;
}

type OpenAccess = (config: Config, cluster: string) => Promise<AccessSources>;

/** What is printed, each part on a line or in one JSON document. */
interface Report {
  readonly verdict: 'allowed' | 'refused' | 'unknown';
  readonly rule?: string;
  readonly question?: string;
  readonly cluster: string;
  readonly reason?: string;
  readonly subject: string;
  readonly groups: readonly string[];
  readonly host: string;
  readonly wanted: string;
}

const exitCodes = { allowed: 0, refused: 1, unknown: 3 } as const;

/** `quayside access check`: may a user pull from a host, and why. Asks anew, changes nothing. */
export function checkingAccess(open: OpenAccess): Run {
  return async (args, io) => {
    const { values, words } = parseFlags(accessCheckFlags, args);
    const [reference, ...rest] = words;
    if (reference === undefined || rest.length > 0) throw new UsageError('needs exactly one REFERENCE');
    const config = await configFile(values.config, io);
    const question = accessQuestion({ ...values, reference }, config);
    const report = await checked(config, question, open);
    io.stdout.write(isJson(values) ? `${JSON.stringify(report)}\n` : reportText(report));
    return exitCodes[report.verdict];
  };
}

async function checked(config: Config, question: AccessQuestion, open: OpenAccess): Promise<Report> {
  const { host, subject, access } = question;
  const { name, groups, cluster } = subject;
  const { upstream, repository, reference } = access;
  const text = reference === undefined ? '' : referenceText(reference);
  const wanted = `${upstream}/${repository}${reference?.digest === undefined ? ':' : '@'}${text}`;
  const known = { subject: name, groups, host, wanted, cluster };
  try {
    const sources = await open(config, cluster);
    try {
      const { decision, because } = await decidedBy(config, question, sources);
      return { ...reported(decision, because), ...known };
    } finally {
      await sources.close();
    }
  } catch (error) {
    return { verdict: 'unknown', reason: scrubbed(failureText(error)), ...known };
  }
}

function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}

/** The decision as the host makes it, and the cluster's reason for the deciding question. */
export async function decidedBy(
  config: Config,
  { host, subject, access }: Pick<AccessQuestion, 'host' | 'subject' | 'access'>,
  sources: AccessSources,
) {
  const words = new Map<string, string>();
  const judge: Judge = {
    recall: (who, question) => sources.judge.recall(who, question),
    async ask(who, question) {
      const verdict = await sources.judge.ask(who, question);
      if (verdict.reason !== undefined && verdict.reason !== '')
        words.set(questionText(question), verdict.reason);
      return verdict;
    },
  };
  const rules = configuredRules(config, await configuredReadings(config.mirror)).get(host);
  if (rules === undefined) throw new Error(`host ${host} has no rules`);
  const { reach } = sources;
  const index = isByDigest(rules, access) ? await sources.streams() : undefined;
  const { authorize } = createAuthorizer({ rules, judge, reach, proofs: reach, streams: () => index });
  const decision = await authorize(subject, access);
  const asked = (decision.question ?? '').split(' and ');
  return { decision, because: asked.flatMap((question) => words.get(question) ?? []).at(-1) };
}

/** Also a tag that holds a digest, whose right counts. */
function isByDigest(rules: RuleBook, { reference, ...place }: Access): boolean {
  if (reference === undefined) return false;
  return reference.digest !== undefined || rules.ofTag(place, reference.tag).kind === 'follow';
}

function reported({ allowed, rule, question, reason }: Decision, because: string | undefined) {
  const reasons = [reason, because].filter((part) => part !== undefined);
  return {
    verdict: allowed ? ('allowed' as const) : ('refused' as const),
    ...defined({ rule, question }),
    ...(reasons.length === 0 ? {} : { reason: reasons.join('; the cluster says: ') }),
  };
}

function reportText(report: Report): string {
  const { wanted, subject, groups, host, rule, question, cluster, verdict, reason } = report;
  const lines = {
    verdict: verdict === 'unknown' ? 'unknown: the question could not be decided' : verdict,
    reason,
    rule,
    question,
    cluster,
    host,
    user: subject,
    groups: groups.join(', '),
    wanted,
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name.padEnd(8)}  ${value ?? '-'}\n`)
    .join('');
}
