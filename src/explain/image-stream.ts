import { field, listOf, textOf } from '../base/text/json.ts';
import { oneLine } from '../base/text/one-line.ts';
import { scrubbed } from '../base/text/redaction.ts';
import { type ImageStreamTag, imageStreamTagText } from '../image-streams/image-stream-tag.ts';
import type { Case } from './case.ts';
import { type Finding, untold } from './step.ts';

/** One tag of an ImageStream as its object says. */
export interface StreamTagStatus {
  /** What the tag's author wrote: a kind, and a name. */
  readonly from?: { readonly kind: string; readonly name: string };
  /** The newest image of the status. */
  readonly current?: { readonly image: string; readonly reference: string; readonly at: number };
  /** A failed import. */
  readonly failure?: { readonly reason: string; readonly message: string; readonly at: number };
  readonly exists: boolean;
}

const longestMessage = 600;

/** Reads the tag out of an object of `image.openshift.io/v1`; values of other shapes are absent. */
export function streamTagStatus(stream: unknown, tag: string): StreamTagStatus {
  const spec = listOf(field(field(stream, 'spec'), 'tags')).find((each) => field(each, 'name') === tag);
  const status = listOf(field(field(stream, 'status'), 'tags')).find((each) => field(each, 'tag') === tag);
  const kind = textOf(field(field(spec, 'from'), 'kind'));
  const name = textOf(field(field(spec, 'from'), 'name'));
  const [item] = listOf(field(status, 'items'));
  const failed = listOf(field(status, 'conditions')).find(
    (each) => field(each, 'type') === 'ImportSuccess' && field(each, 'status') === 'False',
  );
  return {
    exists: spec !== undefined || status !== undefined,
    ...(kind !== undefined && name !== undefined ? { from: { kind, name } } : {}),
    ...(item === undefined
      ? {}
      : {
          current: {
            image: textOf(field(item, 'image')) ?? '',
            reference: textOf(field(item, 'dockerImageReference')) ?? '',
            at: timeOf(field(item, 'created')),
          },
        }),
    ...(failed === undefined
      ? {}
      : {
          failure: {
            reason: oneLine(textOf(field(failed, 'reason')) ?? '', 100),
            message: scrubbed(oneLine(textOf(field(failed, 'message')) ?? '', longestMessage)),
            at: timeOf(field(failed, 'lastTransitionTime')),
          },
        }),
  };
}

function timeOf(value: unknown): number {
  return Date.parse(textOf(value) ?? '') || 0;
}

/** What the step needs of a case. */
interface StreamCase extends Pick<Case, 'streamTag'> {
  readonly sources: Pick<Case['sources'], 'streams'>;
}

/** What the step found, and the object for what depends on it. */
export interface StreamFinding {
  readonly finding: Finding;
  readonly status?: StreamTagStatus;
}

/** The tag's own conditions on the cluster, and what it points to. */
export async function streamStep({ sources, streamTag }: StreamCase): Promise<StreamFinding> {
  if (streamTag === undefined) return { finding: untold('the image is the tag of no image stream') };
  if (sources.streams === undefined)
    return {
      finding: untold('no cluster with image streams is configured, and no imagestreams.json was given'),
    };
  const { where } = sources.streams;
  const text = imageStreamTagText(streamTag);
  const { namespace, name, tag } = streamTag;
  const stream = await readOrRefused(sources.streams, streamTag);
  if (stream === refused)
    return {
      finding: untold('Quayside may not get imagestreams there: deploy/rbac/image-streams.yaml', { where }),
    };
  if (stream === undefined)
    return { finding: untold(`there is no image stream ${namespace}/${name}`, { where }) };
  const status = streamTagStatus(stream, tag);
  if (!status.exists)
    return { status, finding: untold(`image stream ${namespace}/${name} has no tag ${tag}`, { where }) };
  return { status, finding: { ...foundOf(text, status, streamTag), where, decides: false } };
}

/** The server answered 403 to us. */
const refused = Symbol('refused');

async function readOrRefused(
  streams: NonNullable<Case['sources']['streams']>,
  { namespace, name }: ImageStreamTag,
): Promise<unknown> {
  try {
    return await streams.read(namespace, name);
  } catch (error) {
    if (field(error, 'status') === 403) return refused;
    throw error;
  }
}

function foundOf(
  text: string,
  { from, current, failure }: StreamTagStatus,
  streamTag: ImageStreamTag,
): Finding {
  const lines = [
    current === undefined
      ? `${text} has no image`
      : `${text} is ${current.image || 'not imported'}${current.reference === '' ? '' : `, ${current.reference}`}`,
    ...(from === undefined ? [] : [`points to ${from.kind} ${from.name}`]),
  ];
  if (failure !== undefined) {
    const message = failure.message.replace(/^Internal error occurred: /, '');
    return {
      mark: 'wrong',
      found: [`ImportSuccess is False: ${failure.reason}: ${message}`, ...lines],
      at: failure.at,
      next: importNext(message, streamTag, from?.name),
    };
  }
  if (current === undefined && from === undefined) return { mark: 'unknown', found: lines };
  return { mark: 'ok', found: lines, ...(current && current.at > 0 ? { at: current.at } : {}) };
}

function importNext(
  message: string,
  { namespace, name, tag }: ImageStreamTag,
  from = '',
): NonNullable<Finding['next']> {
  const retry = `oc -n ${namespace} import-image ${name}:${tag}`;
  const owner = `the owner of ${namespace}/${name}`;
  if (/toomanyrequests|rate limit/i.test(message))
    return {
      steps: ['import it through Quayside, or with a login of a higher limit; then:', retry],
      who: owner,
    };
  if (/unauthorized|denied|forbidden/i.test(message))
    return {
      steps: [`give the namespace a pull secret for ${from || 'the registry'}; then:`, retry],
      who: owner,
    };
  if (/not found|manifest unknown|name unknown/i.test(message))
    return {
      steps: ['the image does not exist at its source: see the steps mirror and maker; then:', retry],
      who: owner,
    };
  return { steps: ['when the cause is gone:', retry], who: owner };
}

/** Who makes the tag: a promotion. */
export async function makerStep(
  { sources, streamTag }: Case,
  entries: readonly { readonly section: string; readonly file: string; readonly line?: number }[],
): Promise<Finding> {
  if (streamTag === undefined) return untold('the image is the tag of no image stream');
  const text = imageStreamTagText(streamTag);
  const [entry] = entries.filter(({ section }) => section !== 'ignoredSources');
  const listed =
    entry && `${entry.section}, ${entry.file}${entry.line === undefined ? '' : `:${entry.line}`}`;
  if (sources.maker === undefined) {
    if (listed !== undefined)
      return { mark: 'ok', found: [`${text} is mirrored: ${listed}`], decides: false };
    return untold(
      'no checkout of openshift/release is configured: --checkout DIR, or mirror.imageStreams.releaseRepo',
    );
  }
  const { where } = sources.maker;
  const found = await sources.maker.find(streamTag);
  if (found.length === 0 && listed === undefined)
    return untold(`no configuration promotes ${text}, and the mirror's configuration does not name it`, {
      where,
    });
  return {
    mark: 'ok',
    decides: false,
    where,
    found: [
      ...found.map(
        ({ config, file, job }) => `promoted by ${config} (${file}); to make it anew, run the job ${job}`,
      ),
      ...(listed === undefined ? [] : [`mirrored: ${listed}`]),
      ...(found.length > 1 ? ['several configurations promote it: the last one to run wins'] : []),
    ],
  };
}
