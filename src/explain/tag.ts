import type { Digest } from '../oci/digest.ts';
import { isTag, type Tag } from '../oci/reference.ts';
import { type DigestNeeds, judged, type TagReading } from '../prune/protection.ts';
import {
  classOf,
  defaultTtlDays,
  expiresAt,
  markerPrefix,
  requestPrefix,
  type TagClass,
} from '../prune/tag-rules.ts';
import { destinationText, type SeenCase } from './case.ts';
import { mendStore } from './content.ts';
import type { ProbeAnswer } from './sources.ts';
import { dayText, type Finding, timeText, untold } from './step.ts';

const mostFormer = 3;

/** What the tag means here and at its upstream, and what it meant before. */
export async function tagStep(seen: SeenCase): Promise<Finding> {
  const { reference, sources } = seen;
  const { where } = sources.tags;
  if (reference.digest !== undefined) return digestStep(seen, reference.digest);
  const { pointer, isBelieved = false, unreadable, answer, lender } = seen.seen;
  const { upstream } = seen.place;
  const name = destinationText(seen);
  const { staleMs, gone } = sources.tags.policy(upstream);
  if (unreadable !== undefined)
    return {
      mark: 'wrong',
      found: [`the record of ${name} cannot be read: ${unreadable}`, answeredText(answer, upstream)],
      where,
      next: mendStore,
      isInternal: true,
    };
  const lines: string[] = [];
  if (pointer !== undefined) {
    lines.push(`${name} is ${pointer.digest}, as ${upstream} last said`);
    const former = seen.viewer === 'operator' ? (pointer.history ?? []).slice(0, mostFormer) : [];
    for (const { digest, until } of former) lines.push(`was ${digest} until ${dayText(until)}`);
  }
  const here = { where, ...(pointer && { at: pointer.checkedAt }) };
  if (answer.kind === 'found') {
    if (pointer === undefined) lines.push(`${name} was not pulled yet; ${upstream} has ${answer.digest}`);
    else if (pointer.digest !== answer.digest)
      lines.push(
        `${upstream} now has ${answer.digest}; clients get ${isBelieved ? `${pointer.digest} until the tag is confirmed again (tags.freshMs, tags.immutable)` : 'that'}`,
      );
    return { mark: 'ok', found: lines, ...here };
  }
  if (answer.kind === 'absent') {
    if (lender !== undefined)
      return {
        mark: 'ok',
        found: [...lines, `${upstream} lacks it; ${lender.name} has ${lender.digest}`],
        ...here,
      };
    if (pointer !== undefined && gone === 'keep')
      return {
        mark: 'ok',
        found: [...lines, `${upstream} no longer has it; tags.gone is keep, so clients get the last content`],
        ...here,
      };
    lines.push(pointer === undefined ? `there is no ${name}` : `${upstream} no longer has it`);
    const next = {
      steps: [
        'see the steps mirror and maker: the image is not mirrored or not promoted yet, or the name is mistyped',
      ],
      who: 'the owner of the image',
    };
    return { mark: 'wrong', found: lines, ...here, next };
  }
  if (pointer === undefined)
    return {
      mark: 'unknown',
      found: [`${name} is not known here, and ${upstream} could not be asked: see upstream`],
      where,
    };
  const asked = `${upstream} could not be asked whether that is still so: see upstream`;
  if (answer.kind === 'failed' && !isBelieved && sources.now() - pointer.checkedAt > staleMs) {
    const next = { steps: ['see the step upstream: its answer is needed'], who: 'an operator of Quayside' };
    return { mark: 'wrong', found: [...lines, asked, 'that is older than tags.staleMs'], ...here, next };
  }
  return { mark: 'ok', found: [...lines, asked], ...here };
}

async function digestStep(seen: SeenCase, digest: Digest): Promise<Finding> {
  const { where } = seen.sources.tags;
  const member = await seen.sources.content.member(seen.place, digest);
  const { upstream, repository } = seen.place;
  if (member === undefined)
    return untold(`a pull by digest needs no tag; ${digest} was not seen in ${upstream}/${repository} yet`, {
      where,
    });
  const tags = seen.viewer === 'operator' ? member.tags.slice(-8) : [];
  const names = tags.length === 0 ? [] : [`reached by the tags ${tags.toReversed().join(', ')}`];
  return {
    mark: 'ok',
    found: [`${digest} is content of ${upstream}/${repository}`, ...names],
    where,
    at: member.seenAt,
  };
}

function answeredText(answer: ProbeAnswer, upstream: string): string {
  return answer.kind === 'found'
    ? `pulls go past the store: ${upstream} has ${answer.digest}`
    : 'pulls go past the store';
}

/** Which streams the pruner knows is not known here: the text says so. */
const streamsNotAsked: DigestNeeds = { inSync: true, namedBy: () => undefined };
const pruneRules = 'the rules of quayside prune tags';

/**
 * When `quayside prune tags` would delete the tag, and why, by its own rules. Its flags are not
 * known: the defaults are assumed, and named.
 */
export async function prunerStep(seen: SeenCase): Promise<Finding> {
  const { tag } = seen.reference;
  if (tag === undefined) return untold('quayside prune tags deletes tags, and this is a digest');
  const known = classOf(tag);
  if (known.kind === 'other')
    return pruneFinding(
      'quayside prune tags never deletes a tag of this name: it keeps nothing, and is no payload',
    );
  return known.kind === 'kept' ? keptStep(seen, tag, known) : payloadStep(seen, known);
}

type KeptClass = Extract<TagClass, { kind: 'kept' }>;
type PayloadClass = Exclude<TagClass, { kind: 'kept' | 'other' }>;

async function keptStep(seen: SeenCase, tag: Tag, { at, of }: KeptClass): Promise<Finding> {
  const { sources, viewer } = seen;
  const what = `a backup of ${dayText(at)}${of === undefined ? '' : ` of ${of}`}`;
  const isAsked = viewer === 'operator' && of !== undefined && sources.mirror !== undefined;
  const hold = isAsked ? await sources.mirror.hold(destinationText(seen, of)) : undefined;
  const said = judged(
    { tag, reason: what, now: readingOf(seen.seen.answer), ...(hold && of && { heldFor: of }) },
    streamsNotAsked,
  );
  if (said === 'gone')
    return pruneFinding(`${what}; there is no such tag any more, so nothing is left to delete`);
  if ('kept' in said) {
    const text = `${what}; it stays while this is so: ${said.why}`;
    return said.kept === 'unread' ? untold(text, { where: pruneRules }) : pruneFinding(text);
  }
  const due = expiresAt(at, defaultTtlDays);
  const when =
    due <= sources.now()
      ? `since ${timeText(due)} the next run deletes it`
      : `runs from ${timeText(due)} on delete it`;
  return pruneFinding(
    `${what}; ${when}, unless an image stream names its digest`,
    `assumed: --ttl-days ${defaultTtlDays}, the default of quayside prune tags; its own flags are not known here`,
    ...(isAsked ? [] : ['assumed: no hold is on what it was kept of; that was not looked up']),
  );
}

async function payloadStep(seen: SeenCase, { kind, version }: PayloadClass): Promise<Finding> {
  if (kind === 'request')
    return pruneFinding(
      `asks for the removal of the release payload ${version}: the next run deletes that, and the one after it this tag`,
    );
  const what = `${kind === 'payload' ? '' : `a ${kind} of `}the release payload ${version}`;
  const request = `${requestPrefix}${version}`;
  if (seen.viewer === 'subject')
    return untold(`${what}: it stays until there is a tag ${request}`, { where: pruneRules });
  const requested = await tagThere(seen, request);
  if (requested === undefined) return untold(`${what}: whether its removal is requested cannot be told`);
  if (requested)
    return pruneFinding(
      `${what}: its removal is requested by the tag ${request}, so the next run deletes it, unless held`,
    );
  const isMarked = kind !== 'payload' || (await tagThere(seen, `${markerPrefix}${version}`));
  return pruneFinding(
    `${what}: it stays until there is a tag ${request}`,
    ...(isMarked === false ? ['the next run gives each of its components a tag, and then marks it'] : []),
  );
}

/** Undefined where it cannot be told. */
async function tagThere({ sources, place }: SeenCase, tag: string): Promise<boolean | undefined> {
  if (!isTag(tag)) return false;
  const { kind } = await sources.probes.manifest(place, { tag });
  if (kind === 'found') return true;
  return kind === 'absent' ? false : undefined;
}

function readingOf(answer: ProbeAnswer): TagReading {
  if (answer.kind === 'found') return answer.digest;
  return answer.kind === 'absent' ? 'gone' : { unread: 'the registry does not say what it names' };
}

function pruneFinding(...found: readonly string[]): Finding {
  return { mark: 'ok', found, where: pruneRules, decides: false };
}
