import type { Target } from '../scenario.ts';
import type { Report } from './report.ts';
import { amount, bound, verdict } from './words.ts';

interface Bar {
  readonly title: string;
  readonly target: Target;
  /** How many times better than the target: 1 is just met. */
  readonly score: number;
}

const width = 960;
const left = 430;
const right = 190;
const rowHeight = 26;
const titleHeight = 34;
const decades = 2;
const colours = { met: '#2da44e', 'not met': '#cf222e', 'not measured': '#8c959f' } as const;

/**
 * One bar a target, as an SVG: how many times better than its target each value is, on a
 * logarithmic scale whose middle line is the target itself. To the right is better, whatever the
 * sense of the target.
 */
export function picture(report: Report): string {
  const bars = report.sections.flatMap(({ title, targets }) =>
    targets.map((target) => ({ title, target, score: scoreOf(target) })),
  );
  const rows: string[] = [];
  let y = 64;
  let title = '';
  for (const bar of bars) {
    if (bar.title !== title) {
      y += titleHeight - rowHeight / 2;
      rows.push(text(20, y, bar.title, 'font-weight="600"'));
      y += rowHeight;
      title = bar.title;
    }
    rows.push(rowOf(bar, y));
    y += rowHeight;
  }
  return page(y + 30, [axis(y), ...rows]);
}

function scoreOf({ value, bound: limit, sense }: Target): number {
  if (value === undefined) return 1;
  if (sense === 'at least') return value / limit;
  return limit <= 0 || value <= 0 ? (value <= limit ? 1 : 0.01) : limit / value;
}

function rowOf({ target, score }: Bar, y: number): string {
  const word = verdict(target);
  const middle = xOf(1);
  const end = xOf(score);
  const [x, length] = end < middle ? [end, middle - end] : [middle, end - middle];
  return [
    text(left - 12, y, target.what, 'text-anchor="end"'),
    `<rect x="${x.toFixed(1)}" y="${y - 13}" width="${Math.max(3, length).toFixed(1)}" height="16" rx="2" fill="${colours[word]}"/>`,
    text(
      width - right + 12,
      y,
      `${amount(target.value, target.unit)}  (${bound(target)})`,
      `fill="${colours[word]}"`,
    ),
  ].join('\n');
}

/** A tenth of the target at the left edge, ten times the target at the right one. */
function xOf(score: number): number {
  const share = (Math.log10(Math.min(10, Math.max(0.1, score))) + 1) / decades;
  return left + share * (width - left - right);
}

function axis(bottom: number): string {
  const line = (score: number, style: string): string =>
    `<line x1="${xOf(score)}" x2="${xOf(score)}" y1="56" y2="${bottom - 8}" ${style}/>`;
  const label = (score: number, words: string): string =>
    text(xOf(score), 48, words, 'text-anchor="middle" fill="#656d76" font-size="12"');
  const faint = 'stroke="#d0d7de" stroke-dasharray="2 4"';
  return [
    ...[0.1, 0.5, 2, 10].map((score) => line(score, faint)),
    line(1, 'stroke="#1f2328" stroke-width="1.5"'),
    label(0.1, '10 × worse'),
    label(1, 'target'),
    label(10, '10 × better'),
  ].join('\n');
}

function page(height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="13">`,
    '<title>Each target, and how far the measured value is from it</title>',
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(
      20,
      26,
      'Measured value against its target (logarithmic; right is better)',
      'font-size="15" font-weight="600"',
    ),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function text(x: number, y: number, words: string, attributes: string): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const fill = attributes.includes('fill=') ? '' : ' fill="#1f2328"';
  return `<text x="${x}" y="${y}" ${attributes}${fill}>${escaped}</text>`;
}
