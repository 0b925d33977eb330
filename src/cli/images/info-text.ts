import { type Fields, field, fieldsOf, isText, listOf, textOf } from '../../base/text/json.ts';
import type { Attachment } from '../../mirror/inspect/attached.ts';
import type {
  DescribedLayer,
  DescribedPlatform,
  ImageDescription,
} from '../../mirror/inspect/description.ts';
import { decimalSize } from '../mirror/go-text.ts';

/** A label, and its lines: each line is the cells of a row. */
type Section = readonly [label: string, rows: readonly (readonly string[])[]];

const labelWidth = 15;
const unknown = '<unknown>';

/** The image in the lines of `oc image info`, and ours after them. `now` in ms since the epoch. */
export function infoText(name: string, image: ImageDescription, now: number): string {
  const { config = {} } = image;
  const sections = [...head(name, image), ...body(image, now), ...builder(config), ...tail(image)];
  return `${sections.map(sectionText).join('')}\n`;
}

function head(
  name: string,
  { digest, listDigest, isIndex, mediaType, artifactType }: ImageDescription,
): Section[] {
  return [
    one('Name', name),
    one('Digest', digest),
    ...some('Manifest List', listDigest ?? (isIndex ? digest : undefined)),
    one('Media Type', mediaType),
    ...some('Artifact Type', artifactType),
  ];
}

function body(image: ImageDescription, now: number): Section[] {
  const { isIndex, isSchema1, created, layers, platforms } = image;
  if (isIndex) return [['Platforms', platforms.map(platformRow)]];
  return [
    ...(isSchema1 ? [one('Schema', schema1)] : []),
    one('Created', createdText(created, now)),
    one('Image Size', sizeText(image)),
    ['Layers', layers.map(layerRow)],
  ];
}

const schema1 =
  'Docker schema 1: deprecated, and refused by many registries; the digest is that of the payload below its signatures';

/** What the configuration says of the image; nothing without one. */
function builder(config: Fields): Section[] {
  if (Object.keys(config).length === 0) return [];
  const run = fieldsOf(config['config']);
  const [entrypoint, command] = [run['Entrypoint'], run['Cmd']].map((words) => textsIn(words).join(' '));
  const labels = Object.entries(fieldsOf(run['Labels'])).map(([key, value]) => `${key}=${String(value)}`);
  return [
    ...some('OS', textOf(config['os'])),
    ...some('Arch', platformOf(config)),
    ...some('Author', textOf(config['author'])),
    ...some('Entrypoint', entrypoint),
    ...some('Command', command === '' && entrypoint === '' ? '<none>' : command),
    ...some('Working Dir', textOf(run['WorkingDir'])),
    ...some('User', textOf(run['User'])),
    ...some('Exposes Ports', namesIn(run['ExposedPorts']).join(', ')),
    ['Environment', textsIn(run['Env']).map((text) => [text])],
    ['Labels', labels.toSorted().map((text) => [text])],
    ['Volumes', namesIn(run['Volumes']).map((text) => [text])],
  ];
}

function tail({ attached, gaps }: ImageDescription): Section[] {
  const { signature = [], other = [] } = Object.groupBy(attached ?? [], ({ kind }) =>
    kind === 'signature' ? 'signature' : 'other',
  );
  const known: Section[] =
    attached === undefined
      ? []
      : [
          ['Signatures', signature.length === 0 ? [['<none>']] : signature.map(attachmentRow)],
          ['Referrers', other.map(attachmentRow)],
        ];
  return [...known, ['Not shown', gaps.map(({ what, reason }) => [`${what}: ${reason}`])]];
}

function platformRow({ platform, digest, entry }: DescribedPlatform): readonly string[] {
  const kind = textOf(field(field(entry, 'annotations'), 'vnd.docker.reference.type'));
  return [platform, digest, ...(kind === undefined ? [] : [kind])];
}

function layerRow({ size, digest, urls = [] }: DescribedLayer): readonly string[] {
  return [size === undefined ? '--' : decimalSize(size), digest, ...urls];
}

function attachmentRow({ digest, artifactType, mediaType, kind, tag }: Attachment): readonly string[] {
  const type = artifactType ?? mediaType ?? unknown;
  return [digest, kind === 'other' ? type : `${kind} (${type})`, ...(tag === undefined ? [] : [tag])];
}

function sizeText({ size, layers }: ImageDescription): string {
  const count = `${layers.length} layers`;
  return size === undefined ? `${count} (size unavailable)` : `${decimalSize(size)} in ${count}`;
}

function platformOf(config: Fields): string | undefined {
  const architecture = textOf(config['architecture']);
  const variant = textOf(config['variant']);
  return variant === undefined ? architecture : `${architecture ?? ''}/${variant}`;
}

/** The time as it stands, and how long ago that is in its largest unit. */
function createdText(created: string | undefined, now: number): string {
  const at = Date.parse(created ?? '');
  if (created === undefined || Number.isNaN(at) || at < 0) return unknown;
  const seconds = Math.max(0, Math.floor((now - at) / 1000));
  const [unit, length] = units.find(([, length]) => seconds >= length) ?? ['s', 1];
  return `${created} (${Math.floor(seconds / length)}${unit} ago)`;
}

const units: readonly (readonly [string, number])[] = [
  ['y', 365 * 86_400],
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
];

function textsIn(value: unknown): readonly string[] {
  return listOf(value).filter(isText);
}

/** The names of an object's fields, in alphabetical order. */
function namesIn(value: unknown): readonly string[] {
  const names: readonly string[] = Object.keys(fieldsOf(value));
  return names.toSorted();
}

function one(label: string, text: string): Section {
  return [label, [[text]]];
}

function some(label: string, text: string | undefined): Section[] {
  return text === undefined || text === '' ? [] : [one(label, text)];
}

/** A label before the first row, columns below each other; nothing without rows. */
function sectionText([label, rows]: Section): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = cells.reduce<number[]>(
    (most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, cell.length)),
    [],
  );
  return cells
    .map((row, index) => {
      const start = `${index === 0 ? `${label}:` : ''}`.padEnd(labelWidth);
      return `${start}${row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd()}\n`;
    })
    .join('');
}

/** An image's texts are not its reader's: they must not steer a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '\uFFFD');
}
