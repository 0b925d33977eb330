// Room `app/generations`: what follows from one configuration, as a whole that never changes. In: a
// configuration, what all of them share, and the generation before. Out: the next one, and the end
// of the one before. Imports: every room below.

import type { RememberedCluster } from '../../auth/clusters/cluster.ts';
import { closeTogether } from '../../base/flow/close-all.ts';
import { KeptParts } from '../../base/state/kept-parts.ts';
import type { CredentialHelpers } from '../../upstream/helpers/helpers.ts';
import type { CountedUpstream } from '../../upstream/in-use.ts';
import type { Rules } from '../mirror/rules.ts';
import type { Mirror } from '../mirror/service.ts';
import type { ConfiguredSharing } from '../replicas/review-sharing.ts';
import type { ConfiguredRegistry } from './registries.ts';
import { closedCluster, type FollowedCluster } from './streams.ts';
import type { ConfiguredUpkeep } from './upkeep.ts';

/** The mirror, and what its file says. */
export interface MirrorPart {
  readonly mirror: Mirror;
  readonly rules: Rules;
}

/** The parts of a generation that the next one may take over, by kind. */
export class GenerationParts {
  readonly helpers: KeptParts<CredentialHelpers>;
  readonly sharing: KeptParts<ConfiguredSharing>;
  readonly clusters: KeptParts<RememberedCluster>;
  readonly streams: KeptParts<FollowedCluster>;
  readonly mirror: KeptParts<MirrorPart>;
  readonly upstreams: KeptParts<CountedUpstream>;
  readonly registries: KeptParts<ConfiguredRegistry>;
  readonly upkeep: KeptParts<ConfiguredUpkeep>;

  constructor(before?: GenerationParts) {
    this.helpers = new KeptParts((helpers) => helpers.close(), before?.helpers);
    this.sharing = new KeptParts((sharing) => sharing.close(), before?.sharing);
    this.clusters = new KeptParts((cluster) => cluster.close(), before?.clusters);
    this.streams = new KeptParts(closedCluster, before?.streams);
    this.mirror = new KeptParts(({ mirror }) => mirror.close(), before?.mirror);
    this.upstreams = new KeptParts(closedUpstream, before?.upstreams);
    this.registries = new KeptParts((made) => made.settled(), before?.registries);
    this.upkeep = new KeptParts((upkeep) => upkeep.close(), before?.upkeep);
  }

  /** All parts are taken: the generation before may be forgotten. */
  complete(): void {
    const { sharing, clusters, streams, mirror, upstreams, registries, upkeep } = this;
    for (const kind of [sharing, clusters, streams, mirror, upstreams, registries, upkeep]) kind.complete();
  }

  /** Ends what works by itself, and the others do not have. */
  async stopWithout(others?: GenerationParts): Promise<void> {
    await closeTogether([
      () => this.mirror.closeWithout(others?.mirror),
      () => this.upkeep.closeWithout(others?.upkeep),
    ]);
  }

  /** Closes what requests used, and the others do not have: upstreams once they are idle. */
  async closeWithout(others?: GenerationParts): Promise<void> {
    await this.registries.closeWithout(others?.registries);
    await closeTogether([
      () => this.streams.closeWithout(others?.streams),
      () => this.upstreams.closeWithout(others?.upstreams),
      () => this.clusters.closeWithout(others?.clusters),
      () => this.sharing.closeWithout(others?.sharing),
    ]);
    await this.helpers.closeWithout(others?.helpers);
  }
}

async function closedUpstream({ upstream, idle }: CountedUpstream): Promise<void> {
  await idle();
  await upstream.close();
}
