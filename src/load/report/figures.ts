import type { Spread } from './spread.ts';

/** Three significant digits, and a separator between thousands. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toFixed(digits);
}

/** `1.20 ms`, `3.40 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${figure(ms)} ms`;
  return ms < 120_000 ? `${figure(ms / 1000)} s` : `${figure(ms / 60_000)} min`;
}

/** Bytes in decimal units. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return `${figure(bytes / 1000 ** step)} ${units[step] ?? 'B'}`;
}

/** `0.52 (0.48–0.60)`; the figure alone where there was one run. */
export function spreadText({ median, least, most, runs }: Spread): string {
  return runs < 2 ? figure(median) : `${figure(median)} (${figure(least)}–${figure(most)})`;
}

/** A table of Markdown: the first row is its head, the columns after the first are figures. */
export function markdownTable(rows: readonly (readonly string[])[]): readonly string[] {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...body.map(line)];
}
