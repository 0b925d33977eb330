import type { Fills } from '../../cache/fills/fills.ts';
import type { FleetFigures } from '../../console/wire/messages.ts';
import { table } from '../../telemetry/metrics/table.ts';
import type { FleetView } from '../replicas/fleet.ts';
import type { MetricsPage } from './metrics-page.ts';

/** So many keys show the share of each member to some hundredths. */
const sampled = 1_024;

/** The members as this one sees them, and what passed between them. */
export class FleetShares {
  #members = '';
  #shares: ReadonlyMap<string, number> = new Map();

  figures(view: FleetView, page: MetricsPage, fills: Pick<Fills, 'running'>): FleetFigures {
    const { self, live, others, ownerOf } = view;
    const names = [...new Set([self, ...live, ...others])].sort((one, other) => (one < other ? -1 : 1));
    const shares = this.#sharesOf(view);
    const owners = fills
      .running()
      .map(({ upstream, repository, digest }) => ownerOf(`${upstream}/${repository}@${digest}`));
    return {
      self,
      members: names.map((name) => ({
        name,
        isLive: live.includes(name),
        share: (shares.get(name) ?? 0) / sampled,
        owned: owners.filter((owner) => owner === name).length,
      })),
      receivedBytes: page.sum(table.received[0]),
      storedBytes: page.sum(table.storedByFills[0]),
      fromMembersBytes: page.sum(table.fleetBytes[0], { direction: 'received' }),
      toMembersBytes: page.sum(table.fleetBytes[0], { direction: 'sent' }),
      failures: page.sum(table.fleetFailures[0]),
      takeovers: page.sum(table.fleetTakeovers[0]),
    };
  }

  /** Counted anew when members come or go: each key is hashed once for each member. */
  #sharesOf({ live, ownerOf }: FleetView): ReadonlyMap<string, number> {
    if (live.join() === this.#members) return this.#shares;
    const shares = new Map<string, number>();
    for (let at = 0; at < sampled; at += 1) {
      const owner = ownerOf(`sample ${at}`);
      shares.set(owner, (shares.get(owner) ?? 0) + 1);
    }
    this.#members = live.join();
    this.#shares = shares;
    return shares;
  }
}
