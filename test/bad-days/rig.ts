import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Test } from 'tap';
import { digestOf } from '../../src/oci/digest.ts';
import { until } from '../support/bodies.ts';
import type { DoubleImage } from '../support/registry-contents.ts';
import { type ServiceRig, type ServiceRigOptions, serviceRig } from '../support/service.ts';

/**
 * A layer that no part of the service keeps in memory: it must go through the spool and the store.
 */
export const layerBytes = 400_000;

export interface BadDay extends ServiceRig {
  /** `openshift/ci:tools`, with one layer of `layerBytes`. */
  readonly image: DoubleImage;
  readonly layer: DoubleImage['layers'][number];
  /** The store's directory. */
  readonly directory: string;
  /** Asks the service for something of `openshift/ci`, such as `manifests/tools`. */
  get(path: string, init?: RequestInit): Promise<Response>;
  /** The same for the layer. */
  getLayer(init?: RequestInit): Promise<Response>;
}

/** The whole service over one registry with one image. */
export async function badDay(t: Test, options: ServiceRigOptions = {}): Promise<BadDay> {
  const directory = options.directory ?? (await temporary(t));
  const rig = await serviceRig(t, { ...options, directory });
  t.teardown(rig.stop);
  const image = rig.double.addImage('openshift/ci', 'tools', { layers: [layerBytes] });
  const [layer] = image.layers;
  if (layer === undefined) throw new Error('the image has no layer');
  const get = (path: string, init?: RequestInit) =>
    fetch(`${rig.url}/v2/openshift/ci/${path}`, { redirect: 'manual', ...init });
  return Object.assign(rig, {
    image,
    layer,
    directory: join(directory, 'store'),
    get,
    getLayer: (init?: RequestInit) => get(`blobs/${layer.digest}`, init),
  });
}

/** The service once more, on the same store and over the same registry. */
export function again(t: Test, { directory, double }: BadDay): Promise<BadDay> {
  return badDay(t, { directory: dirname(directory), double });
}

/** A directory with these files, which goes with the test. */
export async function temporary(t: Test, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-bad-day-'));
  t.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

/**
 * What a refusal says; every one of them has the error document of the distribution spec for a
 * body.
 */
interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Of the body. */
  readonly requestId?: unknown;
  /** Seconds. */
  readonly retryAfter?: number;
}

/** Reads a refusal; throws when its body is not one that a registry's client understands. */
export async function refusal(response: Response): Promise<Refusal> {
  const text = await response.text();
  const { errors } = JSON.parse(text) as { errors: { code: string; message: string; detail: Refusal }[] };
  const [first] = errors;
  if (first === undefined || typeof first.code !== 'string' || typeof first.message !== 'string')
    throw new Error(`no error document: ${text}`);
  const retryAfter = response.headers.get('retry-after');
  return {
    status: response.status,
    code: first.code,
    message: first.message,
    requestId: first.detail.requestId,
    ...(retryAfter === null ? {} : { retryAfter: Number(retryAfter) }),
  };
}

/** Sends the text as it is, which no HTTP client would do, and reads the answer to its end. */
export async function exchanged(url: string, text: string): Promise<Response> {
  const answer = await spoken(url, text);
  const end = answer.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = answer.slice(0, end).split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const status = Number(statusLine.split(' ')[1]);
  return new Response(status === 304 ? null : answer.slice(end + 4), { status, headers });
}

/** A GET of a path that is sent as it is written here. */
export function getRaw(url: string, path: string, ...headerLines: readonly string[]): Promise<Response> {
  const host = headerLines.some((line) => /^host:/i.test(line)) ? [] : [`Host: ${new URL(url).host}`];
  const lines = [`GET ${path} HTTP/1.1`, ...host, 'Connection: close', ...headerLines];
  return exchanged(url, `${lines.join('\r\n')}\r\n\r\n`);
}

/** Sends the text as it is; resolves to all that comes back until the connection closes. */
export function spoken(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(Number(port), hostname, () => socket.write(text, 'latin1'));
  let answer = '';
  socket
    .setEncoding('latin1')
    .on('data', (chunk: string) => {
      answer += chunk;
    })
    .once('end', () => resolve(answer))
    .once('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
  return promise;
}

/** Whether the body came whole: its digest, or that the connection was cut. */
export async function digestOrCut(response: Response): Promise<string> {
  try {
    return digestOf(new Uint8Array(await response.arrayBuffer()));
  } catch {
    return 'cut';
  }
}

/** Whether the whole image is answered, byte for byte. */
export async function isPulled({ get, getLayer, image, layer }: BadDay): Promise<boolean> {
  const digests = [
    await digestOrCut(await get('manifests/tools')),
    await digestOrCut(await get(`blobs/${image.config}`)),
    await digestOrCut(await getLayer()),
  ];
  return digests.join() === [image.digest, image.config, layer.digest].join();
}

/**
 * Resolves once these, in any order, are all the files in the store's directory that hold content
 * or could become it: blobs, what is being written, the spool. Throws after five seconds.
 */
export async function holdsOnly(directory: string, files: readonly string[] = []): Promise<void> {
  let found: readonly string[] = [];
  const isOrderly = async () => {
    found = await contentFiles(directory);
    return isDeepStrictEqual(found, files.toSorted(byText));
  };
  await until(isOrderly, 'an orderly store').catch((cause: unknown) => {
    throw new Error(`the store holds ${found.join(', ')}`, { cause });
  });
}

/** Those files, sorted. */
export async function contentFiles(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((path) => /^(?:v1\/blobs|tmp|spool)\//.test(path))
    .sort(byText);
}

function byText(left: string, right: string): number {
  return left.localeCompare(right);
}

/**
 * The value of a sample such as `quayside_spool_bytes` among metrics; undefined when there is none.
 */
export function sampleOf(metrics: string, sample: string): number | undefined {
  const line = metrics.split('\n').find((each) => each.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length));
}
