// Room `explain`: why a pull fails, as numbered steps. In: what is to be explained, and functions
// that look. Out: steps as data, and their text. It changes nothing. Imports: base, image-streams,
// oci, prune; types of auth, cache/records, mirror/queue, store.

import { defined } from '../base/text/defined.ts';
import { scrubbed } from '../base/text/redaction.ts';
import { type Clock, hasSlept } from '../base/time/wait.ts';
import { RegistryError } from '../oci/errors.ts';
import { type RightsFinding, rightsStep, routeStep } from './access.ts';
import type { Case, CaseFacts, RoutedCase, SeenCase } from './case.ts';
import { contentStep } from './content.ts';
import { makerStep, type StreamFinding, streamStep } from './image-stream.ts';
import { type AskedImage, imageText, parseInput } from './input.ts';
import { type Mirroring, mirroringOf, mirrorStep, sourceStep } from './mirroring.ts';
import { type ExplainStep, type Finding, hidden, type Title, titles, untold } from './step.ts';
import { prunerStep, tagStep } from './tag.ts';
import { type AskedSource, askedSources, sourcesStep, upstreamStep } from './upstream.ts';

/** All that was found, and what it comes to. */
export interface Explanation {
  /** The image, as people write it. */
  readonly image: string;
  readonly subject?: string;
  /** What belongs to no step, such as the request that it is about. */
  readonly notes: readonly string[];
  readonly steps: readonly ExplainStep[];
  /** `well`: nothing is wrong; `unknown`: what decides about the pull cannot be told. */
  readonly verdict: 'well' | 'wrong' | 'unknown';
}

export interface ExplainedCase extends Case {
  /** The stream's tag is only a name within a job: what it points to is explained. */
  readonly isPipeline?: boolean;
  readonly notes?: readonly string[];
}

/** For all that is behind route and rights, milliseconds. */
const longestMs = 6_000;

const operatorsOnly = hidden('for operators');

/** Looks everywhere. Rejects for nothing that it finds: a step that fails says so. */
export async function explained(asked: ExplainedCase): Promise<Explanation> {
  const found = new Map<Title, Finding>();
  const isOperator = asked.viewer === 'operator';
  const stream = isOperator ? await seenStream(asked) : { finding: operatorsOnly };
  const known = asked.isPipeline === true ? pointedTo(asked, stream) : asked;
  if (known === undefined) return unknownPipeline(asked, stream.finding);
  const { finding: route, routed } = routeStep(known);
  found.set('route', route);
  if (routed === undefined) {
    found.set('image stream', stream.finding);
    return result(known, found, 'not looked up without a route');
  }
  const { upstream, repository } = routed;
  const { reference } = known.image;
  const case_: RoutedCase = { ...known, routed, reference, place: { upstream, repository } };
  const rights = await orFailed(rightsStep(case_), (finding): RightsFinding => ({ finding }));
  found.set('rights', rights.finding);
  found.set('client', await clientOf(case_));
  found.set('image stream', await streamFor(case_, stream));
  if (known.viewer === 'subject' && rights.allowed !== true)
    return result(known, found, 'not shown: this login has no known right to the image');
  await inTime(lookBehind(case_, found), found, known.sources.clock);
  return result(known, found, 'not looked up');
}

/** Later findings are not waited for: who asks is shown what there is. */
async function inTime(looking: Promise<void>, found: Map<Title, Finding>, clock?: Clock): Promise<void> {
  const over = new AbortController();
  const looked = looking.catch((error: unknown) => void found.set('tag', failed(error)));
  await Promise.race([looked, hasSlept(longestMs, over.signal, clock)]);
  over.abort();
  for (const title of titles)
    if (!found.has(title))
      found.set(title, { mark: 'unknown', found: [`no answer within ${longestMs / 1000} s`] });
}

/** What needs the right to the image: tag, content, upstream, mirror. */
async function lookBehind(case_: RoutedCase, found: Map<Title, Finding>): Promise<void> {
  const { seen, asked } = await lookedUp(case_);
  const full: SeenCase = { ...case_, seen };
  found.set('upstream', upstreamStep(full));
  found.set('sources', sourcesStep(full, asked));
  found.set('tag', await step(tagStep(full)));
  found.set('content', await step(contentStep(full)));
  found.set('pruner', await step(prunerStep(full)));
  if (case_.viewer === 'subject') {
    for (const title of ['mirror', 'source', 'maker'] as const) found.set(title, operatorsOnly);
    return;
  }
  const mirroring = await mirroringOf(full).catch((error: unknown) => failed(error));
  const isFailed = mirroring !== undefined && 'mark' in mirroring;
  const known: Mirroring | undefined = isFailed ? undefined : mirroring;
  found.set('mirror', isFailed ? mirroring : mirrorStep(full, known));
  found.set('source', await step(sourceStep(full, known)));
  found.set('maker', await step(makerStep(case_, known?.entries ?? [])));
}

async function lookedUp(case_: RoutedCase): Promise<{
  readonly seen: CaseFacts;
  readonly asked: readonly AskedSource[];
}> {
  const [record, answer] = await Promise.all([recordOf(case_), probed(case_)]);
  const asked = answer.kind === 'absent' ? await askedSources(case_) : [];
  const last = asked.at(-1);
  const lender =
    last?.place.kind === 'image' && last.answer?.kind === 'found'
      ? { name: last.place.registry, digest: last.answer.digest }
      : undefined;
  const found = answer.kind === 'found' ? answer.digest : lender?.digest;
  const known = record.pointer?.digest;
  const digest = case_.reference.digest ?? (record.isBelieved === true ? known : (found ?? known));
  return { asked, seen: { ...record, answer, ...defined({ lender, digest }) } };
}

async function recordOf({
  sources,
  place,
  reference,
}: RoutedCase): Promise<Pick<CaseFacts, 'pointer' | 'isBelieved' | 'unreadable'>> {
  const { tag, digest } = reference;
  if (tag === undefined || digest !== undefined) return {};
  try {
    const pointer = await sources.tags.find(place, tag);
    if (pointer === undefined) return {};
    return { pointer, isBelieved: sources.tags.isBelieved(place.upstream, tag, pointer) };
  } catch (error) {
    return { unreadable: reasonOf(error) };
  }
}

/** A digest may be that of a blob, for which a registry has another path. */
async function probed({ sources, place, reference }: RoutedCase) {
  const answer = await sources.probes.manifest(place, reference);
  if (answer.kind !== 'absent' || reference.digest === undefined || reference.tag !== undefined)
    return answer;
  const blob = await sources.probes.blob(place, reference.digest);
  // An upstream that gives no answer about the blob has not said that it is absent.
  return blob.kind === 'absent' ? answer : blob;
}

function clientOf({ sources, image }: RoutedCase): Promise<Finding> {
  if (sources.client === undefined)
    return Promise.resolve(untold('the configuration of no client was given: --node-config registries.conf'));
  return step(sources.client(image));
}

async function seenStream(asked: Case): Promise<StreamFinding> {
  return orFailed(streamStep(asked), (finding) => ({ finding: { ...finding, decides: false } }));
}

/** Subjects see the streams that the cluster lets them read; others are not looked at for them. */
async function streamFor(case_: RoutedCase, stream: StreamFinding): Promise<Finding> {
  const { viewer, subject, sources, streamTag } = case_;
  if (viewer === 'operator' || streamTag === undefined) return stream.finding;
  const isKnown = subject !== undefined && sources.rights !== undefined;
  const mayRead = isKnown && (await sources.rights.mayReadStream(subject, streamTag).catch(() => false));
  if (!mayRead) return hidden('this login may not read the image stream');
  return (await seenStream(case_)).finding;
}

/** The case of the image that a job's tag points to. */
function pointedTo(asked: ExplainedCase, { status }: StreamFinding): ExplainedCase | undefined {
  if (asked.viewer !== 'operator' || status?.from?.kind !== 'DockerImage') return undefined;
  const input = parsedOrNone(status.from.name);
  if (input?.kind !== 'image') return undefined;
  return {
    ...asked,
    image: input.image,
    notes: [...(asked.notes ?? []), `the tag points to ${status.from.name}`],
  };
}

function parsedOrNone(text: string) {
  try {
    return parseInput(text, { flat: 'quay.io/openshift/ci', readings: () => [] });
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/** An explanation of which nothing but one step is known. */
export function onlyStep(image: string, title: Title, finding: Finding, otherwise: string): Explanation {
  const found = new Map([[title, { ...finding, decides: true }]]);
  const steps = stepsOf(found, otherwise);
  return { image, notes: [], steps, verdict: verdictOf(steps, 'operator') };
}

/** The same with another finding for a step, as from a file of the caller's own. */
export function replaced(explanation: Explanation, title: Title, finding: Finding): Explanation {
  const steps = explanation.steps.map((step) =>
    step.title === title ? { number: step.number, title, ...finding } : step,
  );
  const isUnknown = explanation.verdict === 'unknown';
  const verdict = verdictOf(steps, 'operator');
  return { ...explanation, steps, verdict: isUnknown && verdict === 'well' ? 'unknown' : verdict };
}

function unknownPipeline(asked: ExplainedCase, stream: Finding): Explanation {
  const found = new Map<Title, Finding>();
  found.set('image stream', { ...stream, decides: true });
  return result(
    asked,
    found,
    'which image the tag of the job stands for is not known: give its imagestreams.json',
  );
}

function result(asked: ExplainedCase, found: ReadonlyMap<Title, Finding>, otherwise: string): Explanation {
  const shown = asked.viewer === 'operator' ? found : new Map([...found].map(withoutInsides));
  const steps = stepsOf(shown, otherwise);
  const { subject, image, notes = [] } = asked;
  return {
    image: nameOf(image, asked),
    ...(subject === undefined ? {} : { subject: subject.name }),
    notes,
    steps,
    verdict: verdictOf(steps, asked.viewer),
  };
}

/** Where things are kept, and why they cannot be read, is for operators. */
function withoutInsides([title, finding]: [Title, Finding]): [Title, Finding] {
  const { where, isInternal, ...rest } = finding;
  const place = title === 'rights' && where !== undefined ? { where } : {};
  const found = isInternal === true ? ['cannot be told: an operator can see why'] : rest.found;
  return [title, { ...rest, ...place, found }];
}

function stepsOf(found: ReadonlyMap<Title, Finding>, otherwise: string): readonly ExplainStep[] {
  return titles.map((title, number) => ({ number, title, ...(found.get(title) ?? untold(otherwise)) }));
}

function nameOf(image: AskedImage, { isPipeline, streamTag }: ExplainedCase): string {
  return isPipeline === true && streamTag !== undefined ? `pipeline:${streamTag.tag}` : imageText(image);
}

function verdictOf(steps: readonly ExplainStep[], viewer: Case['viewer']): Explanation['verdict'] {
  if (steps.some(({ mark }) => mark === 'wrong')) return 'wrong';
  const isOpen = steps.some(({ mark, decides = true }) => mark === 'unknown' && decides);
  const isHidden = viewer === 'subject' && steps.find(({ title }) => title === 'tag')?.mark === 'unknown';
  return isOpen || isHidden ? 'unknown' : 'well';
}

async function step(looking: Promise<Finding>): Promise<Finding> {
  return looking.catch(failed);
}

async function orFailed<Value>(
  looking: Promise<Value>,
  otherwise: (finding: Finding) => Value,
): Promise<Value> {
  return looking.catch((error: unknown) => otherwise(failed(error)));
}

function failed(error: unknown): Finding {
  return {
    mark: 'unknown',
    found: [`cannot be told: ${reasonOf(error)}`],
    isInternal: !(error instanceof RegistryError),
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown failure';
  const code = 'code' in error && !(error instanceof RegistryError) ? ` (${String(error.code)})` : '';
  return scrubbed(`${error.message}${code}`).slice(0, 300);
}
