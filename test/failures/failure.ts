import type { Test } from 'tap';
import type { FoundCondition } from '../../src/conditions/condition.ts';
import { refusal, sampleOf } from '../bad-days/rig.ts';
import { until } from '../support/bodies.ts';
import { createManualClock } from '../support/manual-clock.ts';
import type { LogLine, ServiceRig } from '../support/service.ts';

/** One thing that goes wrong, played by doubles before the real service. */
export interface Failure {
  readonly name: string;
  /** What an operator does next. */
  readonly next: string;
  /** Of the whole process: it is played when no other is. Default: false. */
  readonly isAlone?: boolean;
  /** Lets it happen once. What it starts ends with the scope. */
  readonly play: (t: Test) => Promise<Played>;
}

/** What was seen of a failure. */
export interface Played {
  readonly rig: ServiceRig;
  /** What the client was told, or the operator who looks at the queue. */
  readonly client: string;
  /** The request whose line counts. Default: there is none. */
  readonly requestId?: string;
  /** A field of that line which depends on the moment. */
  readonly omits?: string;
  /** What is explained. Default: the request. */
  readonly image?: string;
  /** Other lines of the log, by their text. */
  readonly lines?: readonly string[];
  /** Samples that count it. */
  readonly metrics: readonly string[];
}

/** A row of the table, cell by cell, in words that are the same each time. */
export type FailureRow = Readonly<Record<(typeof columns)[number], string>>;

/**
 * For a service that plays a failure: by this clock nothing is late, however long a busy machine
 * takes.
 */
export const patient = { clock: createManualClock() };

/** In their order. A column that comes is named here, and filled in `played`. */
export const columns = [
  ...(['failure', 'client', 'log', 'metrics', 'condition', 'explain', 'next step'] as const),
] as const;

/** Plays the failure, and takes down what client, log and metrics say of it. */
export async function played({ name, next, play }: Failure): Promise<FailureRow> {
  const teardowns: (() => unknown)[] = [];
  const scope = { teardown: (teardown: () => unknown) => void teardowns.push(teardown) };
  try {
    // The rigs of tests use nothing else of a test.
    const seen = await play(scope as unknown as Test);
    return {
      failure: name,
      client: normal(seen.client),
      log: normal(await logText(seen)),
      metrics: (await metricText(seen)) || '–',
      condition: steadyCondition(normal(await conditionText(seen))) || '–',
      explain: steady(normal(await explainText(seen))),
      'next step': next,
    };
  } finally {
    for (const teardown of teardowns.reverse()) await teardown();
  }
}

/** What a client is told by an answer that is no success. */
export async function toldBy(response: Response): Promise<string> {
  const { status, code, message, retryAfter } = await refusal(response);
  const wait = retryAfter === undefined ? '' : `, \`Retry-After: ${retryAfter}\``;
  return `**${status} ${code}**${wait}: ${message}`;
}

/** The fields of the line of a request that say something of a failure, in this order. */
const requestFields = [
  ...['status', 'error', 'detail', 'cut', 'hit', 'upstream', 'upstreamStatus', 'upstreamSaid', 'cause'],
  ...['subject', 'rule', 'question', 'verdict'],
];
/** Those of every other line that say nothing of it. */
const silent: ReadonlySet<string> = new Set([
  'level',
  'time',
  'component',
  'msg',
  'err',
  'requestId',
  'digest',
]);

async function logText({ rig, requestId, omits, lines = [] }: Played): Promise<string> {
  const texts: string[] = [];
  if (requestId !== undefined) {
    const fields = requestFields.filter((field) => field !== omits);
    const line = await logged(rig, (each) => each.msg === 'request' && each['requestId'] === requestId);
    texts.push(`\`request\` ${fieldTexts(line, fields)}`);
  }
  for (const text of lines) {
    const line = await logged(rig, ({ msg }) => msg === text);
    const names = Object.keys(line).filter((field) => !silent.has(field));
    texts.push(`\`${text}\` ${[fieldTexts(line, names), codeText(line)].filter(Boolean).join(' ')}`);
  }
  return texts.join('<br>');
}

/** Which call of S3 fails first depends on the moment, and so do seconds that are left. */
function steady(text: string): string {
  return text
    .replace(/the last \w+ of the store/, 'the last call of the store')
    .replace(/: [A-Z]\w+(?:Object|Objects|ObjectsV2): .*$/, '')
    .replace(/next attempt in \d+ s/, 'next attempt in N s');
}

/**
 * Each condition that is not as it should be. Of the bucket only whether it is there, as the double
 * has no settings; of our clock only what other clocks say.
 */
async function conditionText({ rig }: Played): Promise<string> {
  const isTold = ({ type, status }: FoundCondition): boolean =>
    status !== 'True' &&
    !(type.startsWith('Storage') && type !== 'StorageExists') &&
    !(type === 'ClockInSync' && status === 'Unknown');
  const texts = (await rig.look()).filter(isTold).map(({ type, name, status, reason, message }) => {
    const which = name === undefined ? type : `${type} ${name}`;
    return `\`${which}\` ${status} **${reason}**: ${message}`;
  });
  return texts.join('<br>');
}

/** The same of conditions, which also say how the connection ended. */
function steadyCondition(text: string): string {
  return text
    .replaceAll(/: (?:Put|Get|Head|List)Objects?(?:V2)?: /g, ': CALL: ')
    .replaceAll(/(?:\w*Error: )?(?:socket hang up|read ECONNRESET|write EPIPE)/g, 'socket hang up');
}

/** The first fault that `quayside explain` names, asked by the request's id or its image. */
async function explainText({ rig, requestId, image }: Played): Promise<string> {
  const isIt = (each: LogLine) => each.msg === 'request' && each['requestId'] === requestId;
  const line = requestId === undefined ? undefined : await logged(rig, isIt);
  const input = image ?? String(line?.['ownRequestId'] ?? imageIn(String(line?.['path'])));
  const query = new URLSearchParams({ input, format: 'json' });
  const answer = await fetch(`http://${rig.service.adminAddress}/explain?${query}`);
  const { steps = [], verdict } = (await answer.json()) as ToldExplanation;
  const fault = steps.find(({ mark }) => mark === 'wrong');
  return fault === undefined ? String(verdict) : `✗ ${fault.number} ${fault.title}: ${fault.found[0]}`;
}

interface ToldExplanation {
  readonly verdict?: string;
  readonly steps?: readonly {
    readonly number: number;
    readonly title: string;
    readonly mark: string;
    readonly found: readonly string[];
  }[];
}

function imageIn(path: string): string {
  const [, name, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
  if (kind === undefined) throw new Error(`no image: ${path}`);
  return `quay.io/${name?.replace(/^quay\.io\//, '')}${reference?.includes(':') ? '@' : ':'}${reference}`;
}

async function logged(rig: ServiceRig, isIt: (line: LogLine) => boolean): Promise<LogLine> {
  await until(() => rig.log.some(isIt), 'the line of the failure');
  const line = rig.log.find(isIt);
  if (line === undefined) throw new Error('the log has no such line any more');
  return line;
}

function fieldTexts(line: LogLine, names: readonly string[]): string {
  return names
    .filter((name) => line[name] !== undefined)
    .map((name) => `${name}=${valueText(line[name])}`)
    .join(' ');
}

function valueText(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return /[\s=|]/.test(value) ? `'${value}'` : value;
}

/** The code of the deepest error of the line. */
function codeText({ err }: LogLine): string {
  let code: unknown;
  for (let error = err; typeof error === 'object' && error !== null; error = Reflect.get(error, 'cause'))
    code = Reflect.get(error, 'code') ?? code;
  return code === undefined ? '' : `err.code=${String(code)}`;
}

async function metricText({ rig, metrics }: Played): Promise<string> {
  const isCounted = async (): Promise<boolean> => {
    const text = await rig.metrics();
    return metrics.every((sample) => (sampleOf(text, sample) ?? 0) > 0);
  };
  await until(isCounted, `the metrics ${metrics.join(', ')}`);
  return metrics.map((sample) => `\`${sample}\``).join('<br>');
}

/** Without what differs from one run to the next. */
function normal(text: string): string {
  return text
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replaceAll(/sha256:[0-9a-f]{64}/g, 'sha256:…')
    .replaceAll(/a{60,}\.test/g, 'no-such-host.test')
    .replaceAll(/\/tmp\/quayside-[\w-]+/g, 'DIR');
}
