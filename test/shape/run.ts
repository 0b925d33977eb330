/**
 * `npm run shape [-- DIRECTORY...]`: the size and shape of TypeScript sources, a row for each
 * directory; default `src`. `--draw DIRECTORY` prints an SVG of its folders and their imports.
 */
import { type Shape, type Spread, shapeOf } from './count.ts';
import { drawing } from './drawing.ts';
import { roomsOf } from './rooms.ts';

const [first = 'src', ...others] = process.argv.slice(2);
if (first === '--draw') process.stdout.write(drawing(await roomsOf(others[0] ?? 'src')));
else console.log((await table([first, ...others])).join('\n'));

async function table(directories: readonly string[]): Promise<readonly string[]> {
  const rows = await Promise.all(
    directories.map(async (directory) => [directory, ...cells(await shapeOf(directory))]),
  );
  const head = [
    'directory',
    'files',
    'lines',
    'file med / p90 / max',
    'fn med / p90 / max',
    'comment %',
    'exports / file',
    'depth',
    'exported types (per 1,000 lines)',
    'types defined twice',
  ];
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
}

function cells(shape: Shape): readonly string[] {
  const { files, lines, exportedTypes } = shape;
  return [
    String(files),
    lines.toLocaleString('en'),
    spreadText(shape.file),
    spreadText(shape.fn),
    shape.comments.toFixed(1),
    shape.exports.toFixed(1),
    String(shape.depth),
    `${exportedTypes} (${((1000 * exportedTypes) / lines).toFixed(1)})`,
    String(shape.sharedTypes.size),
  ];
}

function spreadText({ median, p90, max }: Spread): string {
  return `${median} / ${p90} / ${max}`;
}
