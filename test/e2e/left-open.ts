import { setTimeout as delay } from 'node:timers/promises';

/** What keeps this process from ending, and counts: servers and child processes, by kind. */
export function openResources(): ReadonlyMap<string, number> {
  const kinds = process.getActiveResourcesInfo().filter((kind) => /Server|Process/.test(kind));
  return new Map([...new Set(kinds)].map((kind) => [kind, kinds.filter((each) => each === kind).length]));
}

const looks = 50;
const lookMs = 20;

/** What is open beyond `before`, as `2 TCPServerWrap`. What is closing gets a second for that. */
export async function leftOpen(before: ReadonlyMap<string, number>): Promise<readonly string[]> {
  for (let look = 1; ; look += 1) {
    const left = [...openResources()].flatMap(([kind, count]) => {
      const more = count - (before.get(kind) ?? 0);
      return more > 0 ? [`${more} ${kind}`] : [];
    });
    if (left.length === 0 || look === looks) return left;
    await delay(lookMs);
  }
}
