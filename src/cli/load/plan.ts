import { access, constants, readFile } from 'node:fs/promises';
import { jsonOrNone } from '../../base/text/json.ts';
import { hostHeader, isPrivateTarget, type LoadTarget } from '../../load/client/target.ts';
import type { LoadPlan } from '../../load/engine/load.ts';
import type { ModelSource, WorkSource } from '../../load/engine/source.ts';
import { imagesOf } from '../../load/images/catalog.ts';
import { standInsOf } from '../../load/images/stand-ins.ts';
import { type ImageModel, type LoadImage, modelImages, parseImageList } from '../../load/model/images.ts';
import type { ArrivalModel } from '../../load/model/model-arrivals.ts';
import { createFrontCounter } from '../../load/traffic/front.ts';
import { createMetricsCounter } from '../../load/traffic/metrics-page.ts';
import { parseLoginFile } from '../../upstream/login/login-file.ts';
import { UsageError } from '../flags/arguments.ts';
import { type LoadFlags, settingsOf } from './options.ts';

/** More images than these are not listed. */
const mostImages = 10_000;
const progressTimeoutMs = 60_000;

/** The target of a load, and its login. */
export function targetOf(url: string, values: LoadFlags): LoadTarget {
  const files = {
    caFile: values.ca,
    authFile: values.authfile,
    usernameFile: values['username-file'],
    passwordFile: values['password-file'],
    tokenFile: values['token-file'],
  };
  const given = Object.entries(files).filter(([, file]) => file !== undefined);
  const mirrorOf = values['mirror-of'];
  const mirror = mirrorOf === undefined ? {} : { mirrorOf, mirrorBy: values['mirror-by'] };
  const host = values.host === undefined ? {} : { hostName: values.host };
  return { url, ...mirror, ...host, ...Object.fromEntries(given) };
}

/** Throws `UsageError` for a file that cannot be read: each pull would fail by it. */
export async function checkFiles(values: LoadFlags): Promise<void> {
  const names = ['ca', 'authfile', 'username-file', 'password-file', 'token-file', 'trace'] as const;
  for (const name of names) {
    const file = values[name];
    if (file === undefined) continue;
    await access(file, constants.R_OK).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`--${name}: ${file} cannot be read (${error.code})`, { cause: error });
    });
    if (name === 'authfile') checkLogins(await readFile(file, 'utf8'), file);
  }
}

/** Each process of a load reads logins by itself, and starts no program. */
function checkLogins(text: string, file: string): void {
  if (jsonOrNone(text) === undefined) throw new UsageError(`--authfile: ${file} is not JSON`);
  const { entries, helpers, store } = parseLoginFile(text);
  const [named = store] = helpers.values();
  if (entries.size > 0 || named === undefined) return;
  throw new UsageError(
    `--authfile: ${file} has no login but that of ${named.key}, and a load runs no credential helper: give it a file with the login`,
  );
}

/** The registry behind the target, asked for itself. */
export function registryOf(url: string, values: LoadFlags): LoadTarget {
  const { mirrorOf: _of, mirrorBy: _by, hostName: _host, ...rest } = targetOf(url, values);
  return rest;
}

/** Throws `UsageError` for a target that other people may operate. */
export function checkOperated(target: LoadTarget, values: LoadFlags): void {
  if (isPrivateTarget(target) || values['i-operate-this'] === true) return;
  throw new UsageError(
    `${new URL(target.url).host} is not a private address: a load on a registry of others is an attack. --i-operate-this says that it is yours`,
  );
}

/** The images that are generated, where --images is a number. */
export function imageModelOf(values: LoadFlags): ImageModel | undefined {
  if (!/^\d{1,6}$/.test(values.images)) return undefined;
  return {
    count: Math.max(1, Number(values.images)),
    layers: values.layers,
    sizes: values.sizes,
    sharedShare: values.shared,
    familySize: 4,
    seed: values.random,
    prefix: values.prefix,
  };
}

/** What is to be done, once the images are known. Throws `UsageError`. */
export async function loadPlanOf(
  target: LoadTarget,
  values: LoadFlags,
  signal: AbortSignal,
): Promise<LoadPlan> {
  const source = await (values.trace === undefined
    ? modelSource(target, values, signal)
    : traceSource(target, values.trace, { values, signal }));
  const { front, metrics, closed } = values;
  const traffic =
    front === undefined
      ? metrics === undefined
        ? {}
        : { traffic: createMetricsCounter(new URL(metrics)) }
      : { traffic: createFrontCounter(new URL(front)) };
  return {
    title: values.title ?? hostHeader(target) ?? new URL(target.url).host,
    generator: {
      target,
      nodes: {
        client: values.client,
        perNode: values['per-node'],
        platform: values.platform,
        isForgetful: values.keep !== true,
        progressTimeoutMs,
      },
      source,
      bounds: {
        durationMs: values.duration,
        drainMs: values.drain,
        maxRequests: values['max-requests'],
        maxBytes: values['max-bytes'],
        maxConcurrency: values['max-concurrency'],
      },
      verifyThreads: values['no-verify'] === true ? 0 : values['verify-threads'],
      ...(closed === undefined ? {} : { workers: closed }),
    },
    processes: values.processes,
    ...traffic,
    settings: settingsOf(values),
    ...(values['find-knee'] === true
      ? { knee: { factor: values['knee-factor'], mostSteps: values['knee-steps'] } }
      : {}),
    limits: limitsOf(values),
  };
}

async function modelSource(target: LoadTarget, values: LoadFlags, signal: AbortSignal): Promise<ModelSource> {
  const images = await wantedImages(target, values, signal);
  if (images.length === 0) throw new UsageError('--images names no image');
  const source = { kind: 'model', images, model: arrivalModelOf(values) } as const;
  const { seed } = values;
  if (values.moves === undefined || seed === undefined) return source;
  const generated = imageModelOf(values);
  if (generated === undefined)
    throw new UsageError('--moves needs --images N: only tags of generated images can be moved');
  return { ...source, moves: { registry: registryOf(seed, values), images: generated } };
}

interface PlanInput {
  readonly values: LoadFlags;
  readonly signal: AbortSignal;
}

/** A trace as it is, or, with --map-trace, of the images that the target has. */
async function traceSource(
  target: LoadTarget,
  file: string,
  { values, signal }: PlanInput,
): Promise<WorkSource> {
  const format = values['trace-format'];
  const source = {
    kind: 'trace',
    file,
    speed: values.speed,
    ...(format === undefined ? {} : { format }),
  } as const;
  if (values['map-trace'] !== true) return source;
  const registry = values.from === undefined ? target : registryOf(values.from, values);
  const standIns = await standInsOf(registry, await wantedImages(target, values, signal), signal);
  if (standIns.length === 0) throw new UsageError('--images names no image that has blobs');
  return { ...source, standIns };
}

function limitsOf(values: LoadFlags): LoadPlan['limits'] {
  const { 'max-p99': maxP99Ms, 'max-errors': maxErrors } = values;
  return {
    ...(maxP99Ms === undefined ? {} : { maxP99Ms }),
    ...(maxErrors === undefined ? {} : { maxErrors }),
  };
}

async function wantedImages(
  target: LoadTarget,
  values: LoadFlags,
  signal: AbortSignal,
): Promise<readonly LoadImage[]> {
  const generated = imageModelOf(values);
  if (generated !== undefined)
    return modelImages(generated).map(({ repository, tag }) => ({ repository, reference: { tag } }));
  if (values.images !== 'catalog') return parseImageList(await readFile(values.images, 'utf8'));
  const registry = values.from === undefined ? target : registryOf(values.from, values);
  return imagesOf(registry, values.repository, { most: mostImages, signal });
}

function arrivalModelOf(values: LoadFlags): ArrivalModel {
  const { rate, spacing, nodes, zipf, random, ranges, herd, moves } = values;
  return {
    ratePerSecond: rate,
    spacing,
    nodes,
    zipf,
    seed: random,
    ...(ranges === undefined ? {} : { ranges: { count: ranges, bytes: values['range-bytes'] } }),
    ...(herd === undefined ? {} : { herdEveryMs: herd }),
    ...(moves === undefined ? {} : { movesEveryMs: moves }),
  };
}
