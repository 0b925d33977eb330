import type { Subject } from '../../auth/access.ts';
import { defined } from '../../base/text/defined.ts';
import { type ExplainedCase, type Explanation, explained } from '../../explain/explain.ts';
import { type AskedImage, type ImageInput, namedImage, parseInput } from '../../explain/input.ts';
import type { ExplainSources } from '../../explain/sources.ts';
import { timeText } from '../../explain/step.ts';
import type { Readings } from '../../image-streams/flat-tags.ts';
import { qci } from '../../mirror/references/names.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseReference, parseRepository } from '../../oci/reference.ts';
import type { FailedRequest } from '../../proxy/http/recent-failures.ts';

/** Requests that failed, under ids of ours. */
export interface RequestMemory {
  find(id: string): FailedRequest | undefined;
}

interface AnswersOptions {
  readonly sources: ExplainSources;
  /** What the tags of the flat repository stand for. */
  readonly readings: Readings;
  readonly requests: RequestMemory;
}

interface ExplainQuery {
  readonly input: string;
  /** A host of ours, as clients name it. */
  readonly host?: string;
}

/** Who asks, and about whom. */
interface ExplainViewer {
  readonly viewer: 'operator' | 'subject';
  /** Who pulls; of a viewer who is a subject, that subject. */
  readonly subject?: Subject;
}

/** Explains what a text names. */
export interface Answers {
  /**
   * Throws `NAME_INVALID`, `TAG_INVALID` or `DIGEST_INVALID` for a text that names nothing, and
   * `MANIFEST_UNKNOWN` for a request that is not remembered, or is not the viewer's to see.
   */
  explain(query: ExplainQuery, viewer: ExplainViewer): Promise<Explanation>;
}

export function createAnswers({ sources, readings, requests }: AnswersOptions): Answers {
  const options = { flat: qci, readings };
  return {
    async explain({ input, host }, viewer) {
      const parsed = parseInput(input, options);
      const base = { sources: sourcesOf(viewer), ...viewer, ...defined({ host }) };
      if (parsed.kind === 'request') return explainedRequest(requests.find(parsed.id), base);
      return explained({ ...base, ...caseOf(parsed) });
    },
  };

  function sourcesOf({ viewer }: ExplainViewer): ExplainSources {
    return viewer === 'operator' ? sources : { ...sources, probes: sources.probesOfSubjects };
  }

  function explainedRequest(
    request: FailedRequest | undefined,
    base: Pick<ExplainedCase, 'sources' | 'viewer' | 'subject' | 'host'>,
  ): Promise<Explanation> {
    if (request === undefined || !maySee(request, base)) throw notRemembered();
    const image = imageOf(request);
    if (image === undefined)
      throw new RegistryError('NAME_INVALID', `request ${request.id} was for no image: ${request.message}`);
    const { host, verdict, rule, question, at, subject, cluster } = request;
    const allowed = verdict === 'allowed';
    const decidedThen = verdict && { allowed, at, ...defined({ rule, question, subject, cluster }) };
    return explained({
      ...(host === '' ? {} : { host }),
      ...base,
      ...caseOf(namedImage(image, options)),
      notes: notesOf(request, base.viewer),
      ...defined({ decidedThen, upstreamThen: upstreamThen(request) }),
      ...(request.status === 401 ? { loginRefused: withoutId(request.message) } : {}),
    });
  }
}

function caseOf({ image, streamTag, isPipeline }: ImageInput) {
  return { image, isPipeline, ...defined({ streamTag }) };
}

/** Operators, and the subject of the request; names alone prove nothing across clusters. */
function maySee(request: FailedRequest, { viewer, subject }: ExplainViewer): boolean {
  if (viewer === 'operator') return true;
  if (subject?.cluster === undefined || request.cluster === undefined) return false;
  return subject.name === request.subject && subject.cluster === request.cluster;
}

/** The same words whether there is such a request or not. */
function notRemembered(): RegistryError {
  return new RegistryError(
    'MANIFEST_UNKNOWN',
    'no request of yours that failed is remembered under that id: this process keeps the latest ones, and ids that clients chose are none',
  );
}

/** What the upstream did, of a failure whose message names it. */
function upstreamThen({
  status,
  upstream,
  message,
  error,
  at,
  ...rest
}: FailedRequest): ExplainedCase['upstreamThen'] {
  const isTold =
    upstream !== undefined &&
    (message.startsWith(`${upstream}: `) || message.includes(`upstream ${upstream}`));
  const isOther = status === 401 || status === 404 || !(isTold || error === 'UPSTREAM_INVALID');
  if (isOther || error === undefined) return undefined;
  const { upstreamStatus, upstreamSaid: said, cause } = rest;
  return {
    code: error,
    message: withoutId(message),
    at,
    ...defined({ status: upstreamStatus, said, cause }),
  };
}

/** The id is in the notes. */
function withoutId(message: string): string {
  return message.replace(/ \(request [\w.-]{1,64}\)$/, '');
}

const imagePath = /^\/v2\/(.+)\/(?:manifests|blobs|referrers)\/([^/]+)$/;

/** The image of the request, with its upstream where that was known. */
function imageOf({ path, upstream }: FailedRequest): AskedImage | undefined {
  const [, name = '', reference = ''] = imagePath.exec(path) ?? [];
  const isNamed = upstream !== undefined && name.startsWith(`${upstream}/`);
  const own = isNamed ? name.slice(upstream.length + 1) : name;
  try {
    const registry = upstream === undefined ? {} : { registry: upstream };
    return { ...registry, repository: parseRepository(own), reference: parseReference(reference) };
  } catch {
    return undefined;
  }
}

const noInsides: Pick<FailedRequest, 'cause' | 'upstreamStatus' | 'upstreamSaid'> = {};

/** A registry's own words, and errors of the system, may name hosts: they are for operators. */
function notesOf(request: FailedRequest, viewer: ExplainViewer['viewer']): readonly string[] {
  const { id, at, method, path, status, message, error, clientId } = request;
  const { cause, upstreamStatus, upstreamSaid } = viewer === 'operator' ? request : noInsides;
  const said = upstreamSaid === undefined ? '' : `: ${upstreamSaid}`;
  return [
    `request ${id} at ${timeText(at)}: ${method} ${path}: ${status}${error === undefined ? '' : ` ${error}`}`,
    ...(clientId === undefined ? [] : [`the client named it ${clientId}`]),
    `answered: ${message}`,
    ...(upstreamStatus === undefined ? [] : [`the upstream answered ${upstreamStatus}${said}`]),
    ...(cause === undefined ? [] : [`cause: ${cause}`]),
  ];
}
