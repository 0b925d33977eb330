/** Ink and paper: plots are read in black and white. */
export const ink = '#111111';
export const faintInk = '#767676';
export const grid = '#d4d4d4';

/** A picture of so many pixels with a title, on white. */
export function svgOf(size: Size, title: string, parts: readonly string[]): string {
  const { width, height } = size;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="DejaVu Sans, Arial, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A text; the anchor is `start` by default. */
export function label(at: Point, text: string, attributes = ''): string {
  const fill = attributes.includes('fill=') ? '' : ` fill="${ink}"`;
  return `<text x="${short(at.x)}" y="${short(at.y)}"${fill}${spaced(attributes)}>${escaped(text)}</text>`;
}

export function stroke(from: Point, to: Point, attributes: string): string {
  return `<line x1="${short(from.x)}" y1="${short(from.y)}" x2="${short(to.x)}" y2="${short(to.y)}"${spaced(attributes)}/>`;
}

export function box(at: Point, size: Size, attributes: string): string {
  const { width, height } = size;
  return `<rect x="${short(at.x)}" y="${short(at.y)}" width="${short(width)}" height="${short(height)}"${spaced(attributes)}/>`;
}

/** Straight lines from point to point. */
export function path(points: readonly Point[], attributes: string): string {
  const text = points.map(({ x, y }) => `${short(x)},${short(y)}`).join(' ');
  return `<polyline points="${text}" fill="none"${spaced(attributes)}/>`;
}

/** How a series is told from the others without colours: by its dashes and its markers. */
export interface Pen {
  readonly dashes: string;
  readonly marker: 'circle' | 'square' | 'triangle' | 'diamond' | 'cross' | 'ring' | 'funnel';
  readonly width: number;
}

const pens: readonly Pen[] = [
  { dashes: '', marker: 'circle', width: 2 },
  { dashes: '8 3', marker: 'square', width: 2 },
  { dashes: '2 3', marker: 'triangle', width: 2 },
  { dashes: '10 3 2 3', marker: 'diamond', width: 1.5 },
  { dashes: '', marker: 'cross', width: 1 },
  { dashes: '5 5', marker: 'ring', width: 1 },
  { dashes: '1 4', marker: 'funnel', width: 1.5 },
];

/** The pen of the series with this index. There are seven: as many as the bench has servers. */
export function penOf(index: number): Pen {
  return pens[index % pens.length] ?? { dashes: '', marker: 'circle', width: 2 };
}

/** The attributes of a line of this pen. */
export function inked({ dashes, width }: Pen): string {
  return `stroke="${ink}" stroke-width="${width}"${dashes === '' ? '' : ` stroke-dasharray="${dashes}"`}`;
}

/** A marker of eight pixels around a point. */
export function markerAt({ x, y }: Point, { marker }: Pen): string {
  const [left, right, top, bottom] = [x - 4, x + 4, y - 4, y + 4].map(short);
  const solid = `fill="${ink}"`;
  const hollow = `fill="#ffffff" stroke="${ink}" stroke-width="1.5"`;
  switch (marker) {
    case 'circle':
      return `<circle cx="${short(x)}" cy="${short(y)}" r="3.5" ${solid}/>`;
    case 'ring':
      return `<circle cx="${short(x)}" cy="${short(y)}" r="3.5" ${hollow}/>`;
    case 'square':
      return `<rect x="${short(x - 3.5)}" y="${short(y - 3.5)}" width="7" height="7" ${hollow}/>`;
    case 'triangle':
      return `<path d="M${short(x)} ${top}L${right} ${bottom}L${left} ${bottom}Z" ${solid}/>`;
    case 'funnel':
      return `<path d="M${left} ${top}L${right} ${top}L${short(x)} ${bottom}Z" ${hollow}/>`;
    case 'diamond':
      return `<path d="M${short(x)} ${top}L${right} ${short(y)}L${short(x)} ${bottom}L${left} ${short(y)}Z" ${hollow}/>`;
    case 'cross':
      return `<path d="M${left} ${top}L${right} ${bottom}M${left} ${bottom}L${right} ${top}" stroke="${ink}" stroke-width="1.5"/>`;
  }
}

function short(value: number): number {
  return Math.round(value * 10) / 10;
}

function spaced(attributes: string): string {
  return attributes === '' ? '' : ` ${attributes}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
