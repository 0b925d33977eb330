import { access } from 'node:fs/promises';
import { codeOf } from '../../base/state/durable-file.ts';

/** The variables of OpenTelemetry. */
export type TracingEnvironment = Readonly<Record<string, string | undefined>>;

/** What the variables of OpenTelemetry say about traces. */
export interface TracingSettings {
  /** Where spans are posted. */
  readonly url: string;
  readonly protocol: 'http/protobuf' | 'http/json';
  /** May hold secrets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly compression: 'gzip' | 'none';
  readonly sampler: {
    readonly isParentBased: boolean;
    readonly kind: 'always_on' | 'always_off' | 'traceidratio';
    readonly ratio: number;
  };
  /** Whether `traceparent` is taken in and passed on. */
  readonly propagates: boolean;
  readonly resource: Readonly<Record<string, string>>;
  readonly batch: {
    readonly maxQueueSize: number;
    readonly maxExportBatchSize: number;
    readonly scheduledDelayMillis: number;
    readonly exportTimeoutMillis: number;
  };
}

/** Without settings tracing is off. The warnings are sentences for the log, without secrets. */
interface FoundTracing {
  readonly settings: TracingSettings | undefined;
  readonly warnings: readonly string[];
}

/**
 * Tracing is on where an endpoint or the exporter `otlp` is named. A wrong value is told, and its
 * default counts; where spans could not be sent, tracing is off: variables that an operator of a
 * cluster gives to all pods must not keep a cache from starting.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function tracingIn(env: TracingEnvironment): FoundTracing {
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  return { settings: isOn(env, warn) ? settingsOf(env, warn) : undefined, warnings };
}

type Warn = (text: string) => void;

/** The specification counts an empty variable as absent. */
function setIn(env: TracingEnvironment, ...names: readonly string[]) {
  for (const name of names) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== '') return { name, value };
  }
  return undefined;
}

function forTraces(env: TracingEnvironment, name: string) {
  return setIn(env, `OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`);
}

function isOn(env: TracingEnvironment, warn: Warn): boolean {
  const disabled = setIn(env, 'OTEL_SDK_DISABLED')?.value.toLowerCase();
  if (disabled === 'true') return false;
  if (disabled !== undefined && disabled !== 'false')
    warn(`OTEL_SDK_DISABLED is ${quoted(disabled)}, which counts as false; write true or false`);
  const exporters = setIn(env, 'OTEL_TRACES_EXPORTER')?.value.split(',').map(trimmed);
  if (exporters === undefined) return forTraces(env, 'ENDPOINT') !== undefined;
  if (exporters.includes('otlp')) return true;
  if (!exporters.includes('none'))
    warn(
      `OTEL_TRACES_EXPORTER is ${quoted(exporters.join(','))}; tracing is off: write otlp, the only exporter here, or none`,
    );
  return false;
}

function settingsOf(env: TracingEnvironment, warn: Warn): TracingSettings | undefined {
  const protocol = protocolOf(env, warn);
  const url = urlOf(env, warn);
  if (protocol === undefined || url === undefined) return undefined;
  const batch = {
    maxQueueSize: countOf(env, 'OTEL_BSP_MAX_QUEUE_SIZE', 2_048, warn),
    maxExportBatchSize: countOf(env, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512, warn),
    scheduledDelayMillis: countOf(env, 'OTEL_BSP_SCHEDULE_DELAY', 5_000, warn),
    exportTimeoutMillis: countOf(env, 'OTEL_BSP_EXPORT_TIMEOUT', 30_000, warn),
  };
  const service = setIn(env, 'OTEL_SERVICE_NAME')?.value;
  return {
    ...{ url, protocol, batch },
    headers: headersOf(env, warn),
    timeoutMs: timeoutOf(env, warn),
    compression: compressionOf(env, warn),
    sampler: samplerOf(env, warn),
    propagates: isPropagated(env, warn),
    resource: {
      'service.name': 'quayside',
      ...pairsOf(setIn(env, 'OTEL_RESOURCE_ATTRIBUTES'), warn),
      ...(service !== undefined && { 'service.name': service }),
    },
  };
}

function protocolOf(env: TracingEnvironment, warn: Warn): TracingSettings['protocol'] | undefined {
  const { name, value } = forTraces(env, 'PROTOCOL') ?? { name: '', value: 'http/protobuf' };
  if (value === 'http/protobuf' || value === 'http/json') return value;
  warn(
    `${name} is ${quoted(value)}; tracing is off: write http/protobuf or http/json, and the collector's port for HTTP, which is mostly 4318`,
  );
  return undefined;
}

/** The common endpoint is a base; the one for traces is the whole URL. */
function urlOf(env: TracingEnvironment, warn: Warn): string | undefined {
  const whole = setIn(env, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const base = whole ?? setIn(env, 'OTEL_EXPORTER_OTLP_ENDPOINT');
  const { name, value } = base ?? { name: '', value: 'http://localhost:4318' };
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
    warn(`${name} is no URL of http or https; tracing is off: write it like http://collector:4318`);
    return undefined;
  }
  const url = new URL(value);
  if (whole === undefined) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url.href;
}

function headersOf(env: TracingEnvironment, warn: Warn): Readonly<Record<string, string>> {
  return {
    ...pairsOf(setIn(env, 'OTEL_EXPORTER_OTLP_HEADERS'), warn),
    ...pairsOf(setIn(env, 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'), warn),
  };
}

/** `key=value,key=value`, values percent-encoded (W3C Baggage 3.3); no value is ever repeated. */
function pairsOf(
  found: { readonly name: string; readonly value: string } | undefined,
  warn: Warn,
): Readonly<Record<string, string>> {
  const pairs: [string, string][] = [];
  for (const [index, text] of (found?.value ?? '').split(',').entries()) {
    if (text.trim() === '') continue;
    const mark = text.indexOf('=');
    const value = decoded(text.slice(mark + 1).trim());
    if (mark > 0 && value !== undefined) pairs.push([text.slice(0, mark).trim(), value]);
    else warn(`entry ${index + 1} of ${found?.name} is left out: write key=value, with commas between`);
  }
  return Object.fromEntries(pairs);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * Sentences about files of TLS that cannot be read, of which the exporter itself says nothing. For
 * each process once: it reads them at its start.
 */
export async function fileWarnings(env: TracingEnvironment): Promise<readonly string[]> {
  const named = ['CERTIFICATE', 'CLIENT_CERTIFICATE', 'CLIENT_KEY'].flatMap(
    (name) => forTraces(env, name) ?? [],
  );
  const warnings = await Promise.all(
    named.map(async ({ name, value }) => {
      const failure = await access(value).then(() => undefined, codeOf);
      return failure === undefined ? [] : [unreadable(name, value, failure)];
    }),
  );
  return warnings.flat();
}

function unreadable(name: string, value: string, code: string): string {
  return `${name} is ${quoted(value)}, which cannot be read (${code}); spans are sent without it: write the path of a file in PEM`;
}

function timeoutOf(env: TracingEnvironment, warn: Warn): number {
  const name = forTraces(env, 'TIMEOUT')?.name ?? '';
  return countOf(env, name, 10_000, warn);
}

function compressionOf(env: TracingEnvironment, warn: Warn): TracingSettings['compression'] {
  const { name, value } = forTraces(env, 'COMPRESSION') ?? { name: '', value: 'none' };
  if (value === 'gzip' || value === 'none') return value;
  warn(`${name} is ${quoted(value)}, which counts as none; write gzip or none`);
  return 'none';
}

type NamedSampler = Omit<TracingSettings['sampler'], 'ratio'>;

const samplers: ReadonlyMap<string, NamedSampler> = new Map(
  (['always_on', 'always_off', 'traceidratio'] as const).flatMap((kind): [string, NamedSampler][] => [
    [kind, { kind, isParentBased: false }],
    [`parentbased_${kind}`, { kind, isParentBased: true }],
  ]),
);

function samplerOf(env: TracingEnvironment, warn: Warn): TracingSettings['sampler'] {
  const { value } = setIn(env, 'OTEL_TRACES_SAMPLER') ?? { value: 'parentbased_always_on' };
  const known = samplers.get(value);
  if (known === undefined) {
    warn(
      `OTEL_TRACES_SAMPLER is ${quoted(value)}, which counts as parentbased_always_on; write one of ${[...samplers.keys()].join(', ')}`,
    );
    return { kind: 'always_on', isParentBased: true, ratio: 1 };
  }
  return { ...known, ratio: known.kind === 'traceidratio' ? ratioOf(env, warn) : 1 };
}

function ratioOf(env: TracingEnvironment, warn: Warn): number {
  const { value } = setIn(env, 'OTEL_TRACES_SAMPLER_ARG') ?? { value: '1' };
  const ratio = Number(value);
  if (ratio >= 0 && ratio <= 1) return ratio;
  warn(`OTEL_TRACES_SAMPLER_ARG is ${quoted(value)}, which counts as 1: write a number from 0 to 1`);
  return 1;
}

function isPropagated(env: TracingEnvironment, warn: Warn): boolean {
  const { value } = setIn(env, 'OTEL_PROPAGATORS') ?? { value: 'tracecontext' };
  const names = value.split(',').map(trimmed);
  if (names.includes('tracecontext')) return true;
  if (!names.includes('none'))
    warn(
      `OTEL_PROPAGATORS is ${quoted(value)}; no trace is taken in or passed on: write tracecontext, the only one here, or none`,
    );
  return false;
}

/** Timers go off at once for what is longer, milliseconds: 24 days. */
const most = 2 ** 31 - 1;

/** A number from 1 that a timer can wait for. */
function countOf(env: TracingEnvironment, name: string, otherwise: number, warn: Warn): number {
  const value = setIn(env, name)?.value;
  if (value === undefined) return otherwise;
  const count = Number(value);
  if (Number.isSafeInteger(count) && count > 0 && count <= most) return count;
  warn(`${name} is ${quoted(value)}, which counts as ${otherwise}; write a whole number from 1 to ${most}`);
  return otherwise;
}

function trimmed(text: string): string {
  return text.trim();
}

/** Of a value that is no secret, shortened. */
function quoted(value: string): string {
  return JSON.stringify(value.slice(0, 80));
}
