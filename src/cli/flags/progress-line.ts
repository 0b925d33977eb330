/** How far a command is. */
export interface ProgressState {
  /** What is counted: `images`. */
  readonly unit: string;
  readonly done: number;
  /** Undefined where it is not known: then there is neither a share nor a time left. */
  readonly total?: number | undefined;
  /** From 0 to 1, where `done` of `total` says too little. */
  readonly share?: number | undefined;
  readonly bytes?: number;
  readonly totalBytes?: number | undefined;
  /** What is under way now, such as images. */
  readonly names?: readonly string[];
  /** More in few words, such as counts of failures. */
  readonly more?: string;
}

/** Below this share a time left is a guess. */
const leastShare = 0.02;

/** `3/12 images  25 %  1.2/4.8 GB  35.0 MB/s  ETA 1m42s  quay.io/team/app:v1` */
export function progressLine(state: ProgressState, elapsedMs: number): string {
  const { unit, done, total, bytes = 0, totalBytes, names = [], more } = state;
  const share = state.share ?? (total === undefined || total === 0 ? undefined : done / total);
  const parts = [
    `${done}${total === undefined ? '' : `/${total}`} ${unit}`,
    share === undefined ? undefined : `${Math.floor(share * 100)} %`,
    bytes === 0 ? undefined : bytesText(bytes, totalBytes),
    bytes === 0 ? undefined : `${sizeText(bytes / Math.max(elapsedMs / 1000, 0.001))}/s`,
    share === undefined || share < leastShare || share >= 1
      ? undefined
      : `ETA ${timeText((elapsedMs * (1 - share)) / share)}`,
    more,
    names.length === 0 ? undefined : namesText(names),
  ];
  return parts.filter((part) => part !== undefined).join('  ');
}

function namesText([first = '', ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

function bytesText(bytes: number, total: number | undefined): string {
  return total === undefined || total < bytes ? sizeText(bytes) : `${sizeText(bytes)} of ${sizeText(total)}`;
}

const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Decimal units, as the rates of registries' tools. */
function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** `42s`, `1m42s`, `3h05m` */
function timeText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const two = (number: number): string => String(number).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h${two(Math.floor((seconds % 3600) / 60))}m`;
}
