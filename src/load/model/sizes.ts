/** One point of a distribution: so many percent of the sizes are not larger. */
export interface SizePoint {
  readonly percent: number;
  readonly bytes: number;
}

/**
 * Layers in five production registries of IBM: 65 % are smaller than 1 MB, 80 % than 10 MB (Anwar
 * and others, FAST '18). The ends are ours: 1 kB, and 100 MB, to bound what a load moves.
 */
export const publishedSizes = 'p0=1kB,p65=1MB,p80=10MB,p100=100MB';

/** Half of the images of Docker Hub have fewer than 8 layers (Zhao and others, CLUSTER '19). */
export const publishedLayers = '8';

/** Ours. With this exponent 1 % of 100,000 layers get 47 % of the requests. */
export const defaultZipf = '0.9';

const units: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const sizeShape = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/;

/** `10MB`, `64KiB` or `1000` as bytes. Throws an Error that says what is accepted. */
export function parseSize(text: string): number {
  const [, number = '', unit = ''] = sizeShape.exec(text) ?? [];
  const factor = units[unit === '' ? 'B' : unit];
  if (number !== '' && factor !== undefined) return Math.round(Number(number) * factor);
  throw new Error(`must be a size such as 10MB, 64KiB or 1000 (bytes), not ${text}`);
}

/** `p0=1kB,p65=1MB,p100=100MB`, or one size. Throws an Error that says what is accepted. */
export function parseSizes(text: string): readonly SizePoint[] {
  if (!text.includes('=')) return [{ percent: 100, bytes: parseSize(text) }];
  const points = text.split(',').map((part) => {
    const [, percent = '', size = ''] = /^p(\d{1,3}(?:\.\d+)?)=(.+)$/.exec(part.trim()) ?? [];
    if (percent === '') throw new Error(`must be percentiles such as ${publishedSizes}, not ${text}`);
    return { percent: Number(percent), bytes: parseSize(size) };
  });
  const isRising = points.every((point, index) => {
    const before = points[index - 1];
    return before === undefined || (point.percent > before.percent && point.bytes >= before.bytes);
  });
  if (isRising && points[0]?.percent === 0 && points.at(-1)?.percent === 100) return points;
  throw new Error(`must rise from p0 to p100, such as ${publishedSizes}, not ${text}`);
}

/** The size at a fraction from 0 to 1: between two points it grows by the same factor. */
export function sizeAt(points: readonly SizePoint[], fraction: number): number {
  const percent = fraction * 100;
  const above = points.find((point) => point.percent >= percent) ?? points.at(-1);
  const below = points.findLast((point) => point.percent <= percent) ?? above;
  if (above === undefined || below === undefined) return 0;
  const span = above.percent - below.percent;
  if (span === 0 || below.bytes === 0) return above.bytes;
  const share = (percent - below.percent) / span;
  return Math.round(below.bytes * (above.bytes / below.bytes) ** share);
}
