/** The reference of the settings: all that the schema, its comments and the reload say of each. */
import { join } from 'node:path';
import { isReloadable } from '../../src/app/reload.ts';
import { fieldsOf, isObject, listOf } from '../../src/base/text/json.ts';
import { publishedSchema } from '../../src/config/schema/published.ts';
import { settingComments } from './setting-comments.ts';
import { wrapped } from './wrapped.ts';

/** One setting, or a section of them. */
interface Setting {
  /** As in `upstreams.<name>.url`, `rules.<name>[].ask`. */
  readonly path: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly isRequired: boolean;
  readonly isSection: boolean;
}

/** All settings, each section before what is in it. */
export function settingsOf(schema: unknown = publishedSchema(), path = ''): readonly Setting[] {
  const { properties, required } = fieldsOf(schema);
  return Object.entries(fieldsOf(properties)).flatMap(([name, value]) => {
    const own = path === '' ? name : `${path}.${name}`;
    const found = fieldsOf(value);
    const below = insideOf(found, own).flatMap(([inside, at]) => settingsOf(inside, at));
    const isRequired = listOf(required).includes(name);
    return [{ path: own, schema: found, isRequired, isSection: below.length > 0 }, ...below];
  });
}

/** What may hold further keys: the schema itself, that of a list's items, that of each name. */
function insideOf(
  schema: Readonly<Record<string, unknown>>,
  path: string,
): readonly (readonly [schema: unknown, path: string])[] {
  const { properties, items, patternProperties } = schema;
  if (isObject(properties)) return [[schema, path]];
  if (isObject(items)) return insideOf(items, `${path}[]`);
  return Object.values(fieldsOf(patternProperties)).flatMap((each) =>
    insideOf(fieldsOf(each), `${path}.<name>`),
  );
}

/** The comment of each setting in the sources of the schema, by its path. */
export const commentsOfSettings = (): ReadonlyMap<string, string | undefined> =>
  settingComments(join(import.meta.dirname, '../../src/config/schema/schema.ts'), 'settingsSchema');

const head = `# Settings

Made by \`npm run reference\` of the schema in \`src/config/schema\`. A test compares this page with it.

The settings are one YAML file: \`quayside serve --config FILE\`. \`quayside config check FILE\` names
every fault with its line, and \`quayside config schema\` prints the schema for editors.
[deploy/quayside.yaml](../../deploy/quayside.yaml) is the same as a file to begin with.

- **type**: a *time* or a *size* is a plain number in the unit of the setting's name (\`Ms\`,
  \`Seconds\`, \`Bytes\`), or text with a unit: \`500ms\`, \`30s\`, \`5m\`, \`2h\`, \`7d\`; \`512B\`, \`200MB\`,
  \`64MiB\`, \`50GiB\`. An *expression* is RE2's: no back-references, no lookaround. A *file* is a path.
- **default**: – means none; what follows from that is in the meaning.
- **change**: *reload* takes effect in a running server, within 10 s after the file is saved or at
  once at SIGHUP. *restart* waits for the next start; the condition \`ConfigurationApplied\` names it.
- \`<name>\` stands for a name of yours, \`[]\` for each entry of a list.

The content of a file that a setting names (a password, a key, a certificate) is read again when it
changes. It needs neither: only another *path* is a change of the setting.
`;

/** The whole page. */
export function settingsPage(): string {
  const comments = commentsOfSettings();
  const groups = Map.groupBy(settingsOf(), ({ path }) => path.split('.')[0] ?? '');
  const single = [...groups.values()].filter(({ length }) => length === 1).flat();
  const parts = [...groups].filter(([, { length }]) => length > 1);
  const titles = ['The service', ...parts.map(([name]) => name)];
  const links = titles.map((title) => `[${title}](#${title.toLowerCase().replaceAll(' ', '-')})`);
  return [
    head,
    `${wrapped(links.join(' · '), ' · ')}\n`,
    `## The service\n\n${table(single, comments)}\n`,
    ...parts.map(([name, [section, ...settings]]) => {
      const intro = section === undefined ? '' : wrapped(comments.get(name) ?? '', ' ');
      return `## ${name}\n\n${intro}\n\n${table(settings, comments)}\n`;
    }),
  ].join('\n');
}

function changeOf(path: string): string {
  return isReloadable(path.split('.')) ? 'reload' : 'restart';
}

function table(settings: readonly Setting[], comments: ReadonlyMap<string, string | undefined>): string {
  const rows = settings.map((setting) => [
    `\`${setting.path}\``,
    setting.isSection ? sectionType(setting) : typeOf(setting.schema),
    defaultOf(setting),
    changeOf(setting.path),
    meaningOf(setting, comments.get(setting.path)),
  ]);
  const cells = [['setting', 'type', 'default', 'change', 'meaning'], Array(5).fill('---'), ...rows];
  return cells.map((line) => `| ${line.map(cell).join(' | ')} |`).join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function sectionType({ schema }: Setting): string {
  if (isObject(schema['items'])) return 'list of sections';
  return isObject(schema['patternProperties']) ? 'sections by name' : 'section';
}

/** What the descriptions of leaves say, in a word or two. */
const described: readonly (readonly [RegExp, string])[] = [
  [/^milliseconds: a number.*false$/, 'time, ms; `false`'],
  [/^milliseconds: a number/, 'time, ms'],
  [/^seconds: a number/, 'time, s'],
  [/^bytes: a number/, 'size, bytes'],
  [/^the path of a file/, 'file'],
  [/^a regular expression/, 'expression'],
  [/^host:port, or false/, '`host:port`, `false`'],
  [/^host:port/, '`host:port`'],
  [/^a host/, '`host[:port]`'],
  [/^a URL with .* or none$/, 'URL, `none`'],
  [/^a URL/, 'URL'],
  [/^a network/, 'network'],
  [/^the name of a namespace/, 'namespace'],
  [/^a repository, with/, 'repository, with `*` and `**`'],
  [/^a number of processes/, 'number, `auto`'],
];

/** The type of a value, as an operator may write it. Empty where the schema does not say. */
export function typeOf(schema: Readonly<Record<string, unknown>>): string {
  const { description, type, items, minimum, maximum, exclusiveMinimum } = schema;
  const words = listOf(schema['enum']);
  if (words.length > 0) return words.map((word) => `\`${word}\``).join(', ');
  if ('const' in schema) return `\`${JSON.stringify(schema['const'])}\``;
  if (typeof description === 'string')
    return described.find(([shape]) => shape.test(description))?.[1] ?? description;
  if (type === 'array') return `list: ${typeOf(fieldsOf(items))}`;
  if (type === 'boolean') return '`true`, `false`';
  if (type === 'integer') return `number, ${minimum} or more`;
  if (type === 'number' && maximum !== undefined) return `number, ${minimum} to ${maximum}`;
  if (type === 'number') return `number above ${exclusiveMinimum}`;
  return type === 'string' ? 'text' : '';
}

function defaultOf({ schema, isRequired }: Setting): string {
  if (isRequired) return '**required**';
  const value = schema['default'];
  if (value === undefined) return '–';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(written).join(', ');
  if (!isObject(value)) return written(value);
  return Object.keys(value).map(written).join(', ') || '–';
}

function written(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** The comment, without the sentence that only repeats the default. */
function meaningOf({ schema }: Setting, comment = ''): string {
  return 'default' in schema ? comment.replace(/ Default `?[\w.:/-]+`?(?: \w+)?\.$/, '') : comment;
}
