import type { Rooms } from './rooms.ts';

interface Box {
  readonly folder: string;
  readonly lines: readonly string[];
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const lineHeight = 15;
const letterWidth = 6.6;
const gap = { x: 26, y: 58 };
const margin = 24;

/**
 * An SVG of the folders of `src`: each stands above all that it imports from, with its rooms below
 * its name. An arrow that follows from others is left out; one of a circle is red.
 */
export function drawing({ folders, imports }: Rooms): string {
  const levels = levelsOf(imports);
  const boxes = placed(folders, levels);
  const width = Math.max(...boxes.map((box) => box.x + box.width)) + margin;
  const height = Math.max(...boxes.map((box) => box.y + box.height)) + margin;
  const arrows = [...imports].flatMap(([from, targets]) =>
    [...targets].filter((to) => isShown(imports, from, to)).map((to) => arrow(boxes, imports, from, to)),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="11" role="img">`,
    '<title>The folders of src, each above all that it imports from</title>',
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
    '<path d="M0 0 8 4 0 8Z" fill="#667"/></marker></defs>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...arrows,
    ...boxes.map(boxOf),
    '</svg>',
    '',
  ].join('\n');
}

/** How far above the ground each folder stands; folders of a circle stand side by side. */
function levelsOf(imports: Rooms['imports']): ReadonlyMap<string, number> {
  const levels = new Map<string, number>([...imports.keys()].map((folder) => [folder, 0]));
  for (let pass = 0; pass < imports.size; pass += 1)
    for (const [from, targets] of imports)
      for (const to of targets)
        if (!reaches(imports, to, from))
          levels.set(from, Math.max(levels.get(from) ?? 0, (levels.get(to) ?? 0) + 1));
  return levels;
}

function placed(folders: Rooms['folders'], levels: ReadonlyMap<string, number>): readonly Box[] {
  const top = Math.max(...levels.values());
  const rows = Array.from({ length: top + 1 }, (_, row) =>
    [...folders].filter(([folder]) => levels.get(folder) === top - row),
  );
  const sized = rows.map((row) => row.map(([folder, rooms]) => sizedBox(folder, rooms)));
  const widths = sized.map((row) => row.reduce((sum, { width }) => sum + width + gap.x, -gap.x));
  const widest = Math.max(...widths);
  let y = margin;
  return sized.flatMap((row, index) => {
    let x = margin + (widest - (widths[index] ?? 0)) / 2;
    const boxes = row.map((box) => {
      const at = { ...box, x: Math.round(x), y };
      x += box.width + gap.x;
      return at;
    });
    y += Math.max(...row.map(({ height }) => height)) + gap.y;
    return boxes;
  });
}

function sizedBox(folder: string, rooms: readonly string[]): Omit<Box, 'x' | 'y'> {
  const inner = rooms
    .filter((room) => room !== folder && room !== '.')
    .map((room) => room.slice(folder.length + 1));
  const lines = [folder === '' ? 'files of src itself' : folder, ...inner];
  const width = Math.ceil(Math.max(...lines.map(({ length }) => length)) * letterWidth) + 20;
  return { folder, lines, width, height: lines.length * lineHeight + 12 };
}

/** Whether no longer way leads there. */
function isShown(imports: Rooms['imports'], from: string, to: string): boolean {
  if (reaches(imports, to, from)) return true;
  return ![...(imports.get(from) ?? [])].some((other) => other !== to && reaches(imports, other, to));
}

function reaches(imports: Rooms['imports'], from: string, to: string, seen = new Set<string>()): boolean {
  if (seen.has(from)) return false;
  seen.add(from);
  const targets = imports.get(from);
  return targets?.has(to) === true || [...(targets ?? [])].some((next) => reaches(imports, next, to, seen));
}

function arrow(boxes: readonly Box[], imports: Rooms['imports'], from: string, to: string): string {
  const [start, end] = [
    boxes.find(({ folder }) => folder === from),
    boxes.find(({ folder }) => folder === to),
  ];
  if (start === undefined || end === undefined) return '';
  const isCircle = reaches(imports, to, from);
  const [x1, y1] = [start.x + start.width / 2, start.y + start.height];
  const [x2, y2] = isCircle ? [end.x + end.width / 2, end.y + end.height] : [end.x + end.width / 2, end.y];
  const bend = isCircle ? 40 : (y2 - y1) / 2;
  const path = `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${isCircle ? y2 + bend : y2 - bend} ${x2} ${y2}`;
  return `<path d="${path}" fill="none" stroke="${isCircle ? '#c33' : '#99a'}" marker-end="url(#tip)"/>`;
}

function boxOf({ x, y, width, height, lines }: Box): string {
  const texts = lines.map((line, index) => {
    const style = index === 0 ? ' font-weight="bold"' : ' fill="#556"';
    return `<text x="${x + 10}" y="${y + 18 + index * lineHeight}"${style}>${line}</text>`;
  });
  return `<g><rect x="${x}" y="${y}" width="${width}" height="${height}" rx="4" fill="#f4f6fa" stroke="#667"/>${texts.join('')}</g>`;
}
