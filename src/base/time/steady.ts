/**
 * The same clock, for how long something lasts or is kept: where it is set back, the time that has
 * passed goes on from there. A wrong clock that is set right would else keep for a day what was to
 * be kept for a minute.
 */
export function steadied(now: () => number): () => number {
  let last = Number.NEGATIVE_INFINITY;
  let backMs = 0;
  return () => {
    const time = now();
    if (time < last) backMs += last - time;
    last = time;
    return time + backMs;
  };
}
