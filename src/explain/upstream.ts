import { destinationText, type RoutedCase, type SeenCase } from './case.ts';
import type { MissSourcePlace, ProbeAnswer, ProbeFailure } from './sources.ts';
import { type Finding, spanText, untold } from './step.ts';

/** The upstream: reachable, our login, its answer, limits left, breaker. */
export function upstreamStep(full: SeenCase): Finding {
  const { sources, place, seen, viewer, upstreamThen } = full;
  const { upstream } = place;
  const { answer } = seen;
  const facts = sources.upstream(upstream);
  const isOperator = viewer === 'operator';
  const lines = [`${upstream}: ${answerText(answer)}`];
  if (facts !== undefined && isOperator) {
    const { breaker, breakerAt, limits, login, url } = facts;
    lines.push(`asked at ${url} ${login === 'anonymous' ? 'without a login' : 'with the configured login'}`);
    if (breaker !== undefined)
      lines.push(
        `circuit breaker ${breaker}${breakerAt === undefined ? '' : ` for ${spanText(sources.now() - breakerAt)}`}`,
      );
    if (limits !== undefined)
      lines.push(`limits: ${limits.text}, ${spanText(sources.now() - limits.at)} ago`);
  }
  const where = `HEAD at ${upstream}`;
  if (upstreamThen !== undefined) {
    const { at, message, cause, said } = upstreamThen;
    const told = isOperator ? [said && `its own words: ${said}`, cause && `cause: ${cause}`] : [];
    const found = [
      `the request failed: ${message}`,
      ...told.filter((line) => line !== undefined),
      `now: ${lines[0]}`,
      ...lines.slice(1),
    ];
    return { mark: 'wrong', found, where, at, next: nextFor({ kind: 'failed', ...upstreamThen }, upstream) };
  }
  const base = { found: lines, where, at: answer.at };
  if (answer.kind === 'found' || answer.kind === 'absent') return { mark: 'ok', ...base };
  if (answer.kind !== 'failed') return { mark: 'unknown', ...base };
  if (isOperator) {
    if (answer.said !== undefined) lines.push(`its own words: ${answer.said}`);
    if (answer.cause !== undefined) lines.push(`cause: ${answer.cause}`);
  }
  return { mark: 'wrong', ...base, next: nextFor(answer, upstream) };
}

function answerText(answer: ProbeAnswer): string {
  switch (answer.kind) {
    case 'found':
      return `has it: ${answer.digest}`;
    case 'absent':
      return 'answers, and has no such image';
    case 'limited':
      return `was asked often; not asked again for ${answer.retryAfterSeconds} s`;
    case 'foreign':
      return 'is not among the upstreams; it is not asked';
    case 'failed':
      return `${answer.status === undefined ? '' : `status ${answer.status}: `}${answer.message.replace(/^the upstream /, '')}`;
  }
}

function nextFor(
  { code, status, cause = '', message }: ProbeFailure,
  upstream: string,
): NonNullable<Finding['next']> {
  const operator = 'an operator of Quayside';
  const theirs = `the operators of ${upstream}`;
  if (code === 'DENIED' || status === 401 || status === 403)
    return {
      steps: [`check upstreams.${upstream}.credentials: the registry refuses them for this repository`],
      who: operator,
    };
  if (code === 'TOOMANYREQUESTS' || status === 429)
    return { steps: ['wait, or configure a login with a higher limit at the registry'], who: operator };
  const text = `${cause} ${message}`;
  if (/ENOTFOUND|EAI_AGAIN/.test(text))
    return {
      steps: [`check the name in upstreams.${upstream}.url, and the resolver of this host`],
      who: operator,
    };
  if (/CERT|self.signed|issuer certificate|altname/i.test(text))
    return {
      steps: [`set upstreams.${upstream}.caFile to the authority that signed its certificate`],
      who: operator,
    };
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH/.test(text))
    return {
      steps: ['check address and port, the network and its policies, and whether the registry runs'],
      who: `${operator}; ${theirs}`,
    };
  if (code === 'UPSTREAM_INVALID')
    return {
      steps: ['ask the registry directly: its answer is not one of a registry (a login page, a proxy)'],
      who: theirs,
    };
  return { steps: ['wait for the registry, or pull from another mirror'], who: theirs };
}

/** A place that a miss was looked for at, with its answer. */
export interface AskedSource {
  readonly place: MissSourcePlace;
  readonly answer?: ProbeAnswer;
}

/** Asks the sources of a miss in order, and ends at the first that has the image. */
export async function askedSources(routed: RoutedCase): Promise<readonly AskedSource[]> {
  const { sources, place, reference } = routed;
  const asked: AskedSource[] = [];
  for (const source of sources.misses?.(place, reference) ?? []) {
    if (source.kind === 'history') {
      asked.push({ place: source });
      continue;
    }
    const at = { upstream: source.registry, repository: source.repository };
    const answer = await sources.probes.manifest(at, source.reference);
    asked.push({ place: source, answer });
    if (answer.kind === 'found') break;
  }
  return asked;
}

/** Which sources were asked for what the upstream lacks. */
export function sourcesStep(seen: SeenCase, asked: readonly AskedSource[]): Finding {
  const { sources, viewer, seen: known } = seen;
  const where = 'mirror.misses.sources';
  if (sources.misses === undefined)
    return { ...untold('no mirror is configured: a miss has no sources'), mark: 'ok' };
  if (known.answer.kind === 'found')
    return { mark: 'ok', found: [`not needed: ${seen.place.upstream} has it`], where, decides: false };
  if (asked.length === 0) {
    const why =
      known.answer.kind === 'absent'
        ? `no rule is for ${destinationText(seen)}`
        : 'not asked while the upstream does not answer';
    return untold(why, { where });
  }
  const lines = asked.map(({ place, answer }) => {
    if (place.kind === 'history') return 'history: the last known content, while all of it can be delivered';
    const name = viewer === 'operator' ? place.text : place.registry;
    return `${name}: ${answer === undefined ? 'not asked' : answerText(answer)}`;
  });
  if (known.lender !== undefined) return { mark: 'ok', found: lines, where };
  const failed = asked.find(({ answer }) => answer?.kind === 'failed')?.answer;
  if (failed?.kind === 'failed')
    return {
      mark: 'wrong',
      found: lines,
      where,
      next: { steps: ['mend the source that does not answer'], who: 'its operators' },
    };
  const isOpen = asked.some(
    ({ answer }) => answer === undefined || answer.kind === 'limited' || answer.kind === 'foreign',
  );
  if (isOpen) return { mark: 'unknown', found: lines, where };
  const next = { steps: ['no source has it: see the steps mirror and maker'], who: 'the owner of the image' };
  return { mark: 'wrong', found: lines, where, next };
}
