import type { MirrorHold } from '../mirror/queue/holds.ts';
import type { QueuedTask } from '../mirror/queue/task.ts';
import { destinationText, type SeenCase } from './case.ts';
import { parseInput } from './input.ts';
import type { ConfigEntry, MirrorSource } from './sources.ts';
import { type Finding, type NextStep, spanText, timeText, untold } from './step.ts';

/** What the mirror knows of the image. */
export interface Mirroring {
  readonly task?: QueuedTask;
  readonly hold?: MirrorHold;
  readonly entries: readonly ConfigEntry[];
  /** The pull spec that it is, or would be, copied from. */
  readonly source?: string;
}

/** Reads queue, holds and configuration. Undefined without a mirror, and for a digest. */
export async function mirroringOf(seen: SeenCase): Promise<Mirroring | undefined> {
  const { sources, streamTag, reference } = seen;
  const { mirror } = sources;
  if (mirror === undefined || reference.tag === undefined) return undefined;
  const destination = destinationText(seen);
  const [task, hold, entries] = await Promise.all([
    mirror.task(destination),
    mirror.hold(destination),
    mirror.entries(streamTag, destination),
  ]);
  const source = task?.source.text ?? sourceOf(seen, mirror, entries);
  return {
    entries,
    ...(task && { task }),
    ...(hold && { hold }),
    ...(source === undefined ? {} : { source }),
  };
}

function sourceOf(
  { streamTag, isPipeline }: SeenCase & { readonly isPipeline?: boolean },
  mirror: MirrorSource,
  entries: readonly ConfigEntry[],
): string | undefined {
  const named = entries.find(({ source, section }) => source !== undefined && section !== 'ignoredSources');
  if (named?.source !== undefined) return named.source;
  return streamTag === undefined || isPipeline === true ? undefined : mirror.streamSource(streamTag);
}

/** Which rule or stream makes the tag, and what became of its task. */
export function mirrorStep(seen: SeenCase, mirroring: Mirroring | undefined): Finding {
  const { sources, reference } = seen;
  if (sources.mirror === undefined) return untold('no mirror is configured here');
  const { where } = sources.mirror;
  if (mirroring === undefined || reference.tag === undefined)
    return untold('the mirror copies tags, and this is a digest', { where });
  const { task, hold, entries, source } = mirroring;
  // What could not be asked may be there.
  const isThere = seen.seen.answer.kind !== 'absent';
  const lines = [
    ...(task?.failure === undefined ? [] : [`the copy failed: ${task.failure.kind}: ${task.failure.reason}`]),
    ...(hold === undefined ? [] : [holdText(hold)]),
    ...entries.map(entryText),
    ...(entries.length === 0 && source !== undefined
      ? [`would come from the image stream's tag: ${source}`]
      : []),
    task === undefined ? 'no task waits or runs for it' : taskText(task, sources.now()),
  ];
  const at = task?.failure?.at;
  const base = { found: lines, where, decides: false, ...(at === undefined ? {} : { at }) };
  const ignored = entries.find(({ section }) => section === 'ignoredSources');
  if (task?.failure !== undefined)
    return { mark: 'wrong', ...base, next: failureNext(task, hold, destinationText(seen)) };
  if (hold !== undefined && !isThere)
    return { mark: 'wrong', ...base, next: releaseNext(destinationText(seen)) };
  if (ignored !== undefined && !isThere)
    return {
      mark: 'wrong',
      ...base,
      next: {
        steps: [`take the source off ignoredSources in ${ignored.file}`],
        who: 'the owners of that file',
      },
    };
  if (!isThere && task === undefined && entries.length > 0)
    return { mark: 'wrong', ...base, next: orderNext(source ?? 'SOURCE', destinationText(seen)) };
  if (!isThere && task === undefined && entries.length === 0 && source === undefined)
    return { mark: 'unknown', ...base };
  return { mark: 'ok', ...base };
}

function entryText({ section, file, line, source, reason }: ConfigEntry): string {
  const at = `${file}${line === undefined ? '' : `:${line}`}`;
  return `${section} at ${at}${source === undefined ? '' : `: from ${source}`}${reason === undefined ? '' : ` (${reason})`}`;
}

function holdText({ since, until, why }: MirrorHold): string {
  const end = until === undefined ? 'until it is released' : `until ${timeText(until)}`;
  return `held by an operator since ${timeText(since)}, ${end}${why === undefined ? '' : `: ${why}`}`;
}

function taskText({ state, attempts, notBefore, source }: QueuedTask, now: number): string {
  const isWaiting = notBefore > now && Number.isFinite(notBefore);
  const wait = isWaiting ? `, next try in ${spanText(notBefore - now)}` : '';
  const never = notBefore === Number.POSITIVE_INFINITY ? ', not tried again until the source changes' : '';
  return `task ${state}, from ${source.text}${attempts === 0 ? '' : `, tried ${attempts} times`}${wait}${never}`;
}

const operator = 'an operator of Quayside';

function releaseNext(destination: string): NextStep {
  return { steps: [`quayside mirror release ${destination}`], who: operator };
}

function orderNext(source: string, destination: string): NextStep {
  return {
    steps: [
      `curl -X POST -H 'Content-Type: application/json' -d '{"source":"${source}","destination":"${destination}"}' http://127.0.0.1:8401/api/v1/mirrors`,
    ],
    who: operator,
  };
}

function failureNext(
  { failure, source, sourceTagRef }: QueuedTask,
  hold: MirrorHold | undefined,
  destination: string,
): NextStep {
  switch (failure?.kind) {
    case 'held':
      return hold === undefined
        ? { steps: ['nothing: the hold is over, the copy follows within a minute'], who: operator }
        : releaseNext(destination);
    case 'throttled':
    case 'unavailable':
      return {
        steps: ['nothing: it is tried again; if it lasts, check the registry that the reason names'],
        who: operator,
      };
    case 'denied':
      return { steps: ['give the login in mirror.authFile the right to pull and push there'], who: operator };
    case 'too-large':
      return {
        steps: ['raise the limit of the registry or of the proxy before it'],
        who: 'the operators of the destination',
      };
    default:
      return brokenSource(source.text, sourceTagRef);
  }
}

const streamRegistry = /^registry\.ci\.openshift\.org\/([^/]+)\/([^:@]+)(?::([^@]+))?/;

/**
 * A source that cannot be copied: back up and delete the stream that holds it, or leave it out.
 */
function brokenSource(
  source: string,
  tag?: { readonly namespace: string; readonly name: string; readonly tag: string },
): NextStep {
  const [, namespace = tag?.namespace, name = tag?.name, label = tag?.tag] =
    streamRegistry.exec(source) ?? [];
  if (namespace === undefined || name === undefined)
    return {
      steps: [
        'push the image to its source again, or leave it out with a line under ignoredSources:',
        `- image: ${source}`,
        '  reason: broken',
      ],
      who: 'the owner of the image; for the line, the owners of _config.yaml',
    };
  const line =
    label === undefined
      ? [`- image: ${source}`]
      : [`- namespace: ${namespace}`, `  name: ${name}`, `  tag: "${label}"`];
  return {
    steps: [
      'build and promote the image again; or, if it is not used any more, back up the stream and delete it:',
      `oc --context app.ci get is ${name} -n ${namespace} -o yaml > ${name}.is.yaml`,
      `oc --context app.ci delete is ${name} -n ${namespace}`,
      'or leave the source out, by a line under ignoredSources in _config.yaml:',
      ...line,
      '  reason: broken',
    ],
    who: `the owner of ${namespace}/${name}; for the line, the owners of _config.yaml`,
  };
}

/** The source: its digest, when it was built, and whether the tag is the same. */
export async function sourceStep(seen: SeenCase, mirroring: Mirroring | undefined): Promise<Finding> {
  const { sources } = seen;
  const source = mirroring?.source;
  if (mirroring === undefined || source === undefined) return untold('no source is known of it');
  const place = placeIn(source);
  if (place === undefined) return untold(`${source} cannot be asked: it is no image of a registry`);
  const { upstream, repository, reference } = place;
  const answer = await sources.probes.manifest({ upstream, repository }, reference);
  const where = `HEAD at ${upstream}`;
  const base = { where, at: answer.at, decides: false } as const;
  if (answer.kind === 'foreign')
    return untold(`${source}: ${upstream} is not among the upstreams, so it is not asked`, {
      where: 'upstreams of the configuration',
    });
  if (answer.kind === 'limited')
    return {
      mark: 'unknown',
      found: [`${source} was asked often; try again in ${answer.retryAfterSeconds} s`],
      ...base,
    };
  if (answer.kind === 'failed')
    return {
      mark: 'wrong',
      found: [
        `${source}: ${answer.message}`,
        ...(answer.said === undefined ? [] : [`its own words: ${answer.said}`]),
      ],
      ...base,
      next:
        answer.code === 'DENIED'
          ? { steps: [`check upstreams.${upstream}.credentials`], who: operator }
          : { steps: ['wait for the registry of the source'], who: `the operators of ${upstream}` },
    };
  if (answer.kind === 'absent')
    return {
      mark: 'wrong',
      found: [`${source} does not exist`],
      ...base,
      next: brokenSource(source, mirroring.task?.sourceTagRef),
    };
  const builtAt = await sources.probes.builtAt({ upstream, repository }, answer.digest);
  const lines = [
    `${source} is ${answer.digest}${builtAt === undefined ? '' : `, built ${timeText(builtAt)}`}`,
  ];
  const own = seen.seen.answer.kind === 'found' ? seen.seen.answer.digest : undefined;
  if (own === undefined)
    return { mark: 'ok', found: [...lines, 'the destination does not have it'], ...base };
  if (own === answer.digest) return { mark: 'ok', found: [...lines, 'the tag is the same'], ...base };
  return {
    mark: 'wrong',
    found: [...lines, `the tag is another one: ${own}`],
    ...base,
    next:
      mirroring.hold !== undefined
        ? releaseNext(destinationText(seen))
        : orderNext(source, destinationText(seen)),
  };
}

function placeIn(source: string) {
  const image = sourceImage(source);
  if (image === undefined) return undefined;
  const { registry, repository, reference } = image;
  return registry === undefined ? undefined : { upstream: registry, repository, reference };
}

function sourceImage(source: string) {
  try {
    const input = parseInput(source, { flat: 'quay.io/openshift/ci', readings: () => [] });
    return input.kind === 'image' ? input.image : undefined;
  } catch {
    return undefined;
  }
}
