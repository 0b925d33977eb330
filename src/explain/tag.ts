import type { Digest } from '../oci/digest.ts';
import { destinationText, type SeenCase } from './case.ts';
import { mendStore } from './content.ts';
import type { ProbeAnswer } from './sources.ts';
import { dayText, type Finding, untold } from './step.ts';

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
