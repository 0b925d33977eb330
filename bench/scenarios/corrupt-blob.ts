import { setTimeout as after } from 'node:timers/promises';
import type { Lab } from '../lab.ts';
import type { Pulled } from '../load/pull.ts';
import { type PeerName, peerNames } from '../peers/peers.ts';
import type { Scenario, Values } from '../scenario.ts';
import type { CorruptAnswer } from '../servers/corrupt-process.ts';
import { worker } from '../servers/worker.ts';
import { withServers } from './started.ts';

const bytes = 5_000_000;
const betweenMs = 500;
const pulls = ['first pull', 'second pull'] as const;

/** Who notices that an upstream sends a blob with one wrong byte, the last. */
export const corruptBlob: Scenario = {
  name: 'corrupt-blob',
  title: 'An upstream sends a blob whose last byte is wrong',
  async run(lab) {
    const upstream = worker<number, CorruptAnswer>(new URL('../servers/corrupt-process.ts', import.meta.url));
    try {
      const corrupt = await upstream.ask(bytes);
      const seen = new Map<PeerName, readonly Pulled[]>();
      for (const name of peerNames) {
        lab.say(`feeding ${name} a corrupt blob`);
        const pulled = await pulledTwice(lab, name, corrupt);
        if (pulled !== undefined) seen.set(name, pulled);
      }
      const measures = pulls.map((what, index) => ({
        what: `wrong bytes delivered as a whole blob, ${what}`,
        unit: 'errors' as const,
        values: Object.fromEntries(
          [...seen].map(([name, each]) => [name, isDelivered(each[index]) ? 1 : 0]),
        ) satisfies Values,
      }));
      return {
        measures,
        targets: measures.map(({ what, values }) => ({
          what,
          value: values['quayside'],
          sense: 'at most',
          bound: 0,
          unit: 'errors',
        })),
        notes: [...seen].map(([name, each]) => `${name}: ${each.map(told).join('; then ')}.`),
      };
    } finally {
      upstream.close();
    }
  },
};

function pulledTwice(
  lab: Lab,
  name: PeerName,
  corrupt: CorruptAnswer,
): Promise<readonly Pulled[] | undefined> {
  const { origin: registry, manifestPath, blobPath } = corrupt;
  return withServers(
    lab,
    [name],
    async ([server]) => {
      if (server === undefined) return undefined;
      const pull = async (path: string): Promise<Pulled> => {
        const [pulled] = await lab.pull({ origin: server.origin, path, clients: 1, leaveAfterMs: 10_000 });
        if (pulled === undefined) throw new Error('no client');
        return pulled;
      };
      await pull(manifestPath);
      const first = await pull(blobPath);
      await after(betweenMs);
      return [first, await pull(blobPath)];
    },
    { registry },
  );
}

function isDelivered(pulled: Pulled | undefined): boolean {
  return pulled?.status === 200 && pulled.isWhole;
}

function told(pulled: Pulled): string {
  const { status, bytes: received, totalMs } = pulled;
  if (isDelivered(pulled)) return 'sends all bytes, the wrong one too, as if nothing were wrong';
  if (status === 200)
    return `sends ${received.toLocaleString('en-US')} of ${bytes.toLocaleString('en-US')} bytes and ends the connection`;
  return status === 0 ? `answers nothing for ${Math.round(totalMs / 1000)} s` : `answers ${status}`;
}
