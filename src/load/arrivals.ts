import type { Arrival, Arrivals } from './work.ts';

/** The same arrivals at another speed: ten times the speed is a tenth of the time between them. */
export async function* atSpeed(arrivals: Arrivals, speed: number): AsyncGenerator<Arrival> {
  for await (const arrival of arrivals) yield { ...arrival, atMs: arrival.atMs / speed };
}

/** One process's share. A node's arrivals stay together, and with them its connections. */
export async function* shareOf(
  arrivals: Arrivals,
  { process, processes }: { readonly process: number; readonly processes: number },
): AsyncGenerator<Arrival> {
  const shares = new Map<string, number>();
  for await (const arrival of arrivals) {
    const share = shares.get(arrival.node) ?? shares.size % processes;
    shares.set(arrival.node, share);
    if (share === process) yield arrival;
  }
}

/** All arrivals of several sources, in the order of their time. */
export async function* inOrder(sources: readonly Arrivals[]): AsyncGenerator<Arrival> {
  const heads: { next: Arrival; readonly rest: AsyncGenerator<Arrival> }[] = [];
  for (const source of sources) {
    const rest = each(source);
    const { value, done } = await rest.next();
    if (done !== true) heads.push({ next: value, rest });
  }
  while (heads.length > 0) {
    const first = heads.reduce((left, right) => (right.next.atMs < left.next.atMs ? right : left));
    yield first.next;
    const { value, done } = await first.rest.next();
    if (done === true) heads.splice(heads.indexOf(first), 1);
    else first.next = value;
  }
}

async function* each(arrivals: Arrivals): AsyncGenerator<Arrival> {
  yield* arrivals;
}
