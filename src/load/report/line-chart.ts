import type { Scale } from './scale.ts';
import {
  box,
  faintInk,
  grid,
  ink,
  inked,
  label,
  markerAt,
  type Point,
  path,
  penOf,
  type Size,
  stroke,
} from './svg.ts';

/** One line of a chart; points in the order of their x. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface LineChart {
  readonly title: string;
  readonly x: { readonly scale: Scale; readonly name: string };
  readonly y: { readonly scale: Scale; readonly name: string };
  /** At most six, so that each has a pen of its own. */
  readonly series: readonly Series[];
  /** Whether it is as narrow as one with a legend, also without one. */
  readonly hasLegendSpace?: boolean;
  /** Said in the middle where there is nothing to draw. */
  readonly nothing?: string;
}

const margin = { left: 70, right: 16, top: 30, bottom: 40 } as const;
const legendWidth = 150;
const lineHeight = 18;
/** So many markers a line, at most: more of them hide the line. */
const mostMarkers = 12;

/** The parts of a chart that stands at a point of a picture and has a size. */
export function lineChart(chart: LineChart, at: Point, size: Size): readonly string[] {
  const hasLegend = chart.series.length > 1 || chart.hasLegendSpace === true;
  const plot: Plot = {
    left: at.x + margin.left,
    top: at.y + margin.top,
    width: size.width - margin.left - margin.right - (hasLegend ? legendWidth : 0),
    height: size.height - margin.top - margin.bottom,
  };
  return [
    label(
      { x: plot.left, y: at.y + 18 },
      `${chart.title}, ${chart.y.name}`,
      'font-size="13" font-weight="bold"',
    ),
    ...axes(chart, plot),
    ...chart.series.flatMap((series, index) => drawn(series, index, chart, plot)),
    ...(chart.series.length > 1 ? legend(chart.series, plot) : []),
    ...(chart.nothing === undefined ? [] : [said(chart.nothing, plot)]),
  ];
}

interface Plot extends Size {
  readonly left: number;
  readonly top: number;
}

function axes({ x, y }: LineChart, plot: Plot): readonly string[] {
  const { left, top, width, height } = plot;
  const bottom = top + height;
  const columns = x.scale.ticks.flatMap(({ value, label: text }) => {
    const column = left + x.scale.at(value) * width;
    return [
      stroke({ x: column, y: top }, { x: column, y: bottom }, `stroke="${grid}"`),
      label({ x: column, y: bottom + 16 }, text, 'text-anchor="middle"'),
    ];
  });
  const rows = y.scale.ticks.flatMap(({ value, label: text }) => {
    const row = bottom - y.scale.at(value) * height;
    return [
      stroke({ x: left, y: row }, { x: left + width, y: row }, `stroke="${grid}"`),
      label({ x: left - 8, y: row + 4 }, text, 'text-anchor="end"'),
    ];
  });
  return [
    ...columns,
    ...rows,
    box({ x: left, y: top }, plot, `fill="none" stroke="${ink}"`),
    label({ x: left + width / 2, y: bottom + 33 }, x.name, 'text-anchor="middle"'),
  ];
}

function drawn({ points }: Series, index: number, { x, y }: LineChart, plot: Plot): readonly string[] {
  const pen = penOf(index);
  const places = points.map((point) => ({
    x: plot.left + x.scale.at(point.x) * plot.width,
    y: plot.top + plot.height - y.scale.at(point.y) * plot.height,
  }));
  const every = Math.max(1, Math.ceil(places.length / mostMarkers));
  // The markers of two lines that run together stand beside each other.
  const marked = places.filter((_, place) => (place + Math.floor((index * every) / 6)) % every === 0);
  return [path(places, inked(pen)), ...marked.map((place) => markerAt(place, pen))];
}

function legend(series: readonly Series[], { left, top, width }: Plot): readonly string[] {
  const start = left + width + 14;
  return series.flatMap(({ name }, index) => {
    const pen = penOf(index);
    const y = top + 10 + index * lineHeight;
    return [
      stroke({ x: start, y }, { x: start + 30, y }, inked(pen)),
      markerAt({ x: start + 15, y }, pen),
      label({ x: start + 37, y: y + 4 }, name),
    ];
  });
}

function said(text: string, { left, top, width, height }: Plot): string {
  return label({ x: left + width / 2, y: top + height / 2 }, text, `text-anchor="middle" fill="${faintInk}"`);
}
