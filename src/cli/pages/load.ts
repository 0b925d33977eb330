import { clientKinds } from '../../load/client/manners.ts';
import {
  defaultZipf,
  parseSize,
  parseSizes,
  publishedLayers,
  publishedSizes,
} from '../../load/model/sizes.ts';
import { traceFormats } from '../../load/traces/formats.ts';
import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { amount, boolean, duration, oneOf, output, url, whole } from '../flags/values.ts';

/** `10x` or `10`. */
export function speed(text: string): number {
  const value = Number(text.replace(/x$/, ''));
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`must be a factor such as 10x, not ${text}`);
}

/** `8` or `4-12`. */
export function span(text: string): readonly [number, number] {
  const [, least = '', most = least] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(text) ?? [];
  if (Number(least) >= 1 && Number(most) >= Number(least)) return [Number(least), Number(most)];
  throw new Error(`must be a number of layers such as 8 or 4-12, not ${text}`);
}

const where = { group: 'Where:' } as const;
const what = { group: 'Of what:' } as const;
const how = { group: 'How:' } as const;
const bounds = { group: 'Bounds, all of which hold:' } as const;
const measured = { group: 'What is measured:' } as const;

export const loadFlags = {
  target: { ...where, value: 'URL', read: url, help: 'the registry or cache; http:// or https://' },
  'mirror-of': { ...where, value: 'HOST', help: 'ask for content of this registry, as its mirror' },
  'mirror-by': {
    ...where,
    value: 'ns|host|path',
    read: oneOf(['ns', 'host', 'path']),
    default: 'ns',
    help: 'how a mirror is told the registry: ?ns=HOST, by the Host header, or in the path',
  },
  host: { ...where, value: 'NAME', help: 'the Host header, where it is not that of the URL' },
  ca: { ...where, value: 'FILE', help: 'PEM of the authority that signed its certificate' },
  authfile: {
    ...where,
    value: 'FILE',
    help: 'logins, an auth file of docker or podman; no credential helper is run',
  },
  'username-file': { ...where, value: 'FILE', help: 'the login, with --password-file' },
  'password-file': { ...where, value: 'FILE', help: 'the login, with --username-file' },
  'token-file': { ...where, value: 'FILE', help: 'a token as it is, in place of a login' },
  'i-operate-this': { ...where, ...boolean, help: 'allow a target that is not loopback and not private' },
  images: {
    ...what,
    value: 'N|FILE|catalog',
    default: '20',
    help: 'N: the images of the model, load/image-0 to load/image-(N-1); FILE: REPOSITORY:TAG or REPOSITORY@DIGEST, one a line, the most wanted first; catalog: every tag in the catalog of --from, or of the target',
  },
  from: { ...what, value: 'URL', read: url, help: 'where the catalog is read' },
  repository: { ...what, isList: true, value: 'NAME', help: 'of the catalog these only' },
  trace: {
    ...what,
    value: 'FILE',
    help: 'requests of a log instead, at their times; see docs/load-traces.md',
  },
  'trace-format': {
    ...what,
    value: 'NAME',
    words: traceFormats,
    read: oneOf(traceFormats),
    help: 'of the log',
  },
  'map-trace': {
    ...what,
    ...boolean,
    help: 'of the --images that the target has, in place of those that the trace names',
  },
  speed: {
    ...what,
    value: 'FACTOR',
    read: speed,
    default: '1x',
    help: 'of a trace: 10x is ten times as fast',
  },
  seed: {
    ...what,
    value: 'URL',
    read: url,
    help: 'push the images of the model to this registry first: the target, or its upstream. Alone: only push',
  },
  layers: {
    ...what,
    value: 'N[-M]',
    read: span,
    default: publishedLayers,
    help: 'of an image; see docs/load.md',
  },
  sizes: {
    ...what,
    value: 'SIZES',
    read: parseSizes,
    default: publishedSizes,
    help: 'of layers, by percent',
  },
  shared: {
    ...what,
    value: 'SHARE',
    read: amount,
    default: '0.4',
    help: 'of the layers, the same in four images each',
  },
  prefix: { ...what, value: 'NAME', default: 'load', help: 'what repositories of the model begin with' },
  random: { ...what, value: 'N', read: whole, default: '1', help: 'the number that all chance comes from' },
  rate: {
    ...how,
    value: 'N',
    read: amount,
    default: '2',
    help: 'pulls that begin in a second, whether or not earlier ones have ended',
  },
  spacing: {
    ...how,
    value: 'poisson|even',
    read: oneOf(['poisson', 'even']),
    default: 'poisson',
    help: 'of these beginnings',
  },
  zipf: { ...how, value: 'S', read: amount, default: defaultZipf, help: 'how unequal the images are wanted' },
  nodes: { ...how, value: 'N', read: whole, default: '50', help: 'nodes with connections of their own' },
  'per-node': { ...how, value: 'N', read: whole, default: '6', help: 'requests that each makes at a time' },
  client: {
    ...how,
    value: 'NAME',
    words: clientKinds,
    read: oneOf(clientKinds),
    default: 'podman',
    help: 'how a node asks: podman, containerd or plain (no retries)',
  },
  platform: { ...how, value: 'OS/ARCH', default: 'linux/amd64', help: 'of an index' },
  keep: { ...how, ...boolean, help: 'nodes do not pull a blob twice' },
  herd: {
    ...how,
    value: 'DURATION',
    read: duration,
    help: 'all nodes pull one image at the same time, each time after so long',
  },
  moves: {
    ...how,
    value: 'DURATION',
    read: duration,
    help: 'a tag moves, each time after so long; at --seed',
  },
  ranges: { ...how, value: 'N', read: whole, help: 'lazy pulls: so many ranges of each layer' },
  'range-bytes': { ...how, value: 'SIZE', read: parseSize, default: '128KiB', help: 'of such a range' },
  closed: {
    ...how,
    value: 'N',
    read: whole,
    help: 'so many pulls at a time instead of a rate: slow answers then slow the load',
  },
  duration: {
    ...bounds,
    value: 'DURATION',
    read: duration,
    default: '60s',
    help: 'of the load, or of a step',
  },
  drain: { ...bounds, value: 'DURATION', read: duration, default: '30s', help: 'for what is then under way' },
  'max-requests': { ...bounds, value: 'N', read: whole, default: '1000000', help: 'requests in all' },
  'max-bytes': { ...bounds, value: 'SIZE', read: parseSize, default: '20GB', help: 'bytes in all' },
  'max-concurrency': { ...bounds, value: 'N', read: whole, default: '2000', help: 'pulls at a time' },
  processes: { ...measured, value: 'N', read: whole, default: '1', help: 'generator processes' },
  'verify-threads': {
    ...measured,
    value: 'N',
    read: whole,
    default: '1',
    help: 'of each process, which check digests',
  },
  'no-verify': { ...measured, ...boolean, help: 'check no digest of a blob' },
  front: {
    ...measured,
    value: 'URL',
    read: url,
    help: 'a quayside load front: bytes from the upstream of the target',
  },
  metrics: { ...measured, value: 'URL', read: url, help: 'the same by the metrics page of the target' },
  'find-knee': {
    ...measured,
    ...boolean,
    help: 'raise the rate until the p99 of whole pulls doubles, in steps of --duration each',
  },
  'knee-factor': { ...measured, value: 'N', read: amount, default: '1.5', help: 'of the rates of two steps' },
  'knee-steps': { ...measured, value: 'N', read: whole, default: '12', help: 'at most so many' },
  'max-p99': { ...measured, value: 'DURATION', read: duration, help: 'a longer p99 is a failure' },
  'max-errors': { ...measured, value: 'N', read: amount, help: 'more errors are a failure' },
  output: {
    ...measured,
    short: 'o',
    value: 'text|json|FILE.json',
    words: ['text', 'json'],
    default: 'text',
    help: 'json: the whole result; FILE.json: the same written to FILE.json, and beside it FILE.md with its plots as SVG',
  },
  title: { ...measured, value: 'TEXT', help: 'of the report' },
} as const satisfies FlagTable;

export const loadPage: CommandPage = {
  flags: loadFlags,
  notes: `Latencies are counted from when a pull was due.`,
  exits: `Exits with 0, with 1 for a wrong byte and beyond --max-p99 or --max-errors, 2 for a mistake, 130 or 143 when stopped: the report is then of the time until then.`,
};

export const frontFlags = {
  upstream: { value: 'URL', read: url, help: 'where requests are passed to' },
  listen: { value: 'HOST:PORT', read: address, default: '127.0.0.1:8410', help: 'plain HTTP' },
  output: { ...output, help: 'at the end: text, or json: {bytes, requests}' },
} as const satisfies FlagTable;

export const frontPage: CommandPage = {
  flags: frontFlags,
  notes: `Point the upstream of the cache to it, and give its URL to quayside load --front. Until stopped. Redirects pass as they are: bytes from storage behind the upstream do not come this way, and are not counted.`,
};

function address(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host !== '' && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new Error(`must be HOST:PORT, not ${text}`);
}

export const compareFlags = {
  output: { ...output, help: 'text: a table of Markdown, or json: {markdown}' },
} as const satisfies FlagTable;

export const comparePage: CommandPage = {
  flags: compareFlags,
  notes: `The reports of quayside load --output. Of several a side: medians with their spread, and the ratio of each pair of runs.`,
};
