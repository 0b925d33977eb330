import { field, isText } from '../../base/text/json.ts';
import { clientKinds } from '../../load/client/manners.ts';
import { defaultZipf, parseSizes, publishedLayers, publishedSizes } from '../../load/model/sizes.ts';
import { traceFormats } from '../../load/traces/formats.ts';
import { UsageError } from '../flags/arguments.ts';
import { type FlagTable, parseFlags } from '../flags/flag-table.ts';
import { boolean } from '../mirror/options.ts';
import { amount, duration, oneOf, size, span, speed, url, whole } from './values.ts';

const flags = {
  // Where.
  target: { read: url },
  'mirror-of': {},
  'mirror-by': { read: oneOf(['ns', 'host', 'path']), default: 'ns' },
  host: {},
  ca: {},
  authfile: {},
  'username-file': {},
  'password-file': {},
  'token-file': {},
  'i-operate-this': boolean,
  // Of what.
  trace: {},
  'trace-format': { read: oneOf(traceFormats) },
  'map-trace': boolean,
  speed: { read: speed, default: '1x' },
  images: { default: '20' },
  from: { read: url },
  repository: { isList: true },
  prefix: { default: 'load' },
  layers: { read: span, default: publishedLayers },
  sizes: { read: parseSizes, default: publishedSizes },
  shared: { read: amount, default: '0.4' },
  random: { read: whole, default: '1' },
  seed: { read: url },
  // How.
  rate: { read: amount, default: '2' },
  spacing: { read: oneOf(['poisson', 'even']), default: 'poisson' },
  zipf: { read: amount, default: defaultZipf },
  nodes: { read: whole, default: '50' },
  'per-node': { read: whole, default: '6' },
  client: { read: oneOf(clientKinds), default: 'podman' },
  platform: { default: 'linux/amd64' },
  keep: boolean,
  herd: { read: duration },
  moves: { read: duration },
  ranges: { read: whole },
  'range-bytes': { read: size, default: '128KiB' },
  closed: { read: whole },
  // Bounds.
  duration: { read: duration, default: '60s' },
  drain: { read: duration, default: '30s' },
  'max-requests': { read: whole, default: '1000000' },
  'max-bytes': { read: size, default: '20GB' },
  'max-concurrency': { read: whole, default: '2000' },
  // The generator.
  processes: { read: whole, default: '1' },
  'verify-threads': { read: whole, default: '1' },
  'no-verify': boolean,
  // What is measured and said.
  front: { read: url },
  metrics: { read: url },
  'find-knee': boolean,
  'knee-factor': { read: amount, default: '1.5' },
  'knee-steps': { read: whole, default: '12' },
  'max-p99': { read: duration },
  'max-errors': { read: amount },
  output: { short: 'o' },
  title: {},
} as const satisfies FlagTable;

/** What a command line of `quayside load` asks for. */
export type LoadFlags = ReturnType<typeof parseFlags<typeof flags>>['values'];

/** Reads the command line. Throws `UsageError`. */
export function parseLoadFlags(args: readonly string[]): LoadFlags {
  const { values, words } = parseFlags(flags, args);
  if (words[0] !== undefined)
    throw new UsageError(`takes no argument ${words[0]}; name the target by --target`);
  if (values.target === undefined && values.seed === undefined)
    throw new UsageError('needs --target URL, the registry or cache to load, or --seed URL');
  if (values.front !== undefined && values.metrics !== undefined)
    throw new UsageError('takes --front or --metrics, not both');
  if (values.moves !== undefined && values.seed === undefined)
    throw new UsageError('--moves needs --seed URL, the registry where tags are moved');
  if (values.trace !== undefined && values['find-knee'] === true)
    throw new UsageError('--find-knee raises a rate, and a trace has its own: leave out --trace');
  if (values['knee-factor'] <= 1) throw new UsageError('--knee-factor must be more than 1');
  if (values.shared > 1) throw new UsageError('--shared must be from 0 to 1');
  return values;
}

/** What the report says of them: each option that has a value, but no secrets and no paths. */
export function settingsOf(values: LoadFlags): Readonly<Record<string, string | number | boolean>> {
  const entries = Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined || /file$|^ca$|^output$|^title$|^trace$/.test(name)) return [];
    if (Array.isArray(value) && value.length === 0) return [];
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    return [[name, isPlain ? value : textOf(value)] as const];
  });
  return Object.fromEntries(entries);
}

/** As it may be written: `4-12`, `p0=1000,p100=300000`. */
function textOf(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  const [least, most] = value as readonly unknown[];
  if (typeof least === 'number') return least === most ? `${least}` : `${least}-${most}`;
  return value
    .map((item: unknown) => (isText(item) ? item : `p${field(item, 'percent')}=${field(item, 'bytes')}`))
    .join(',');
}
