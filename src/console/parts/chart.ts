import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { html, type Markup } from './html.ts';
import { clockText } from './text.ts';

interface ChartLine {
  readonly name: string;
  /** The custom property of the style sheet that has its colour. */
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly isFilled?: boolean;
}

interface ChartProperties {
  /** What it shows, for those who do not see it. */
  readonly label: string;
  /** Milliseconds since the epoch. */
  readonly times: readonly number[];
  readonly lines: readonly ChartLine[];
  readonly text: (value: number) => string;
  /** The top of the scale. Default: by the values. */
  readonly most?: number;
}

const height = 180;

/** Lines over time. */
export function Chart({ label, times, lines, text, most }: ChartProperties): Markup {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [pointed, setPointed] = useState<number | null>(null);
  const data = dataOf(times, lines);

  useEffect(() => {
    const { current } = place;
    if (current === null) return undefined;
    const drawn = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        optionsOf(current.clientWidth, { lines, text, pointed: setPointed, ...(most && { most }) }),
        data,
        current,
      );
    };
    drawn();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: current.clientWidth, height }));
    resized.observe(current);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', drawn);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', drawn);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [times, lines]);

  return html`<figure class="chart">
    <div class="plot" role="img" aria-label=${label} ref=${place}></div>
    <figcaption>
      ${lines.map(
        ({ name, color, values }) => html`<span key=${name}>
          <span class=${`swatch ${color}`} aria-hidden="true"></span> ${name}${' '}
          <strong>${valueText(values, { at: pointed, text })}</strong>
        </span>`,
      )}
      <span>${pointed === null ? 'now' : clockText(times[pointed] ?? 0)}</span>
    </figcaption>
  </figure>`;
}

/** Where the pointer is, else the last one. */
function valueText(
  values: readonly (number | null)[],
  { at, text }: { readonly at: number | null; readonly text: (value: number) => string },
): string {
  const value = at === null ? values.findLast((each) => each !== null) : values[at];
  return value === undefined || value === null ? '–' : text(value);
}

function dataOf(times: readonly number[], lines: readonly ChartLine[]): uPlot.AlignedData {
  return [times.map((at) => at / 1000), ...lines.map(({ values }) => [...values])];
}

/** Seconds where the whole is some minutes. */
function timeTexts(_plot: uPlot, seconds: readonly number[]): string[] {
  const isShort = (seconds.at(-1) ?? 0) - (seconds[0] ?? 0) < 300;
  return seconds.map((at) => clockText(at * 1000).slice(0, isShort ? 8 : 5));
}

function optionsOf(
  width: number,
  {
    lines,
    text,
    most,
    pointed,
  }: Pick<ChartProperties, 'lines' | 'text' | 'most'> & { readonly pointed: (at: number | null) => void },
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const font = `11px ${style.fontFamily}`;
  const axis: uPlot.Axis = {
    stroke: color('quiet'),
    font,
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    legend: { show: false },
    hooks: { setCursor: [({ cursor: { idx } }) => pointed(idx ?? null)] },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _least, greatest) => [0, most ?? Math.max(greatest * 1.1, 1e-9)] } },
    axes: [
      { ...axis, space: 70, grid: { show: false }, values: timeTexts },
      { ...axis, size: 64, space: 36, values: (_plot, values) => values.map(text) },
    ],
    series: [
      {},
      ...lines.map(({ name, color: own, isFilled }) => ({
        label: name,
        stroke: color(own),
        width: 1.75,
        points: { show: false },
        ...(isFilled === true ? { fill: `${color(own)}22` } : {}),
      })),
    ],
  };
}
