import { figure } from '../../src/load/report/figures.ts';
import { logScale, type Scale } from '../../src/load/report/scale.ts';
import type { Spread } from '../../src/load/report/spread.ts';
import {
  box,
  faintInk,
  grid,
  ink,
  label,
  markerAt,
  penOf,
  stroke,
  svgOf,
} from '../../src/load/report/svg.ts';
import type { Column, Measure } from '../scenario.ts';

const width = 900;
const left = 260;
const right = 170;
const rowHeight = 34;
const top = 52;

/**
 * One measure a row, one marker a server, on a logarithmic scale; a line through a marker goes from
 * the least to the most of its rounds. All measures have one unit. Read in black and white: each
 * server has a marker of its own, the same in every picture. To the left is better.
 */
export function dotPlot(title: string, measures: readonly Measure[], servers: readonly Column[]): string {
  const shown = servers.filter((server) => measures.some(({ spreads }) => spreads?.[server] !== undefined));
  const values = measures.flatMap(({ spreads }) =>
    shown.flatMap((server) => extent(spreads?.[server])).filter((value) => value > 0),
  );
  const unit = measures[0]?.unit ?? 's';
  const scale = logScale(Math.min(...values), Math.max(...values), figure);
  const bottom = top + measures.length * rowHeight;
  return svgOf({ width, height: bottom + 46 }, title, [
    label(
      { x: 16, y: 24 },
      `${title}, ${unit}, logarithmic; left is better`,
      'font-size="14" font-weight="bold"',
    ),
    ...axis(scale, bottom),
    ...measures.flatMap((measure, row) => rowOf(measure, top + row * rowHeight, { shown, servers, scale })),
    ...legend(shown, servers),
  ]);
}

function extent(spread: Spread | undefined): readonly number[] {
  return spread === undefined ? [] : [spread.least, spread.most];
}

interface Frame {
  readonly shown: readonly Column[];
  /** All of them: the place in it is the pen. */
  readonly servers: readonly Column[];
  readonly scale: Scale;
}

function rowOf({ what, spreads }: Measure, y: number, { shown, servers, scale }: Frame): readonly string[] {
  const x = (value: number): number => left + scale.at(value) * (width - left - right);
  const step = (rowHeight - 10) / Math.max(1, shown.length);
  const marks = shown.flatMap((server, place) => {
    const spread = spreads?.[server];
    if (spread === undefined || spread.median <= 0) return [];
    const at = y + 5 + step * (place + 0.5);
    const line = stroke({ x: x(spread.least), y: at }, { x: x(spread.most), y: at }, `stroke="${ink}"`);
    return [line, markerAt({ x: x(spread.median), y: at }, penOf(servers.indexOf(server)))];
  });
  return [
    label({ x: left - 12, y: y + rowHeight / 2 + 4 }, what, 'text-anchor="end"'),
    stroke({ x: left, y: y + rowHeight }, { x: width - right, y: y + rowHeight }, `stroke="${grid}"`),
    ...marks,
  ];
}

function axis(scale: Scale, bottom: number): readonly string[] {
  const lines = scale.ticks.flatMap(({ value, label: text }) => {
    const x = left + scale.at(value) * (width - left - right);
    return [
      stroke({ x, y: top }, { x, y: bottom }, `stroke="${grid}"`),
      label({ x, y: bottom + 18 }, text, `text-anchor="middle" fill="${faintInk}"`),
    ];
  });
  const frame = { width: width - left - right, height: bottom - top };
  return [...lines, box({ x: left, y: top }, frame, `fill="none" stroke="${ink}"`)];
}

function legend(shown: readonly Column[], servers: readonly Column[]): readonly string[] {
  return shown.flatMap((server, place) => {
    const y = top + 12 + place * 20;
    const x = width - right + 44;
    return [markerAt({ x, y }, penOf(servers.indexOf(server))), label({ x: x + 12, y: y + 4 }, server)];
  });
}
