import type { FastifyInstance } from 'fastify';
import { leaderFirst, type MirrorLeader } from '../proxy/operators/leader.ts';
import {
  type MirrorApiOptions,
  mirrorOrders,
  mirrorQueue,
  whereMirrored,
} from '../proxy/operators/mirror-api.ts';
import { holdOrders, type MirrorHoldsOptions, mirrorHolds } from '../proxy/operators/mirror-holds.ts';
import { type CallerOptions, operatorDoor } from '../proxy/operators/operator-access.ts';

/** The mirror as its API shows it, in whichever process it works. */
export interface ShownMirror extends MirrorApiOptions, MirrorHoldsOptions {
  /** Default: this process answers itself. */
  readonly leader?: MirrorLeader;
}

interface MirrorRoutes {
  /** Adds the route of its health. */
  readonly health: (scope: FastifyInstance) => void;
  /** Lets in who sees queue and holds, and may change them. Default: all see, and none changes. */
  readonly door?: CallerOptions;
}

/**
 * The routes of the mirror, which are unknown ones while there is none: its health for all, queue
 * and holds.
 */
export function mirrorRoutes(
  app: FastifyInstance,
  mirror: ShownMirror,
  { health, door }: MirrorRoutes,
): void {
  void app.register((scope, _options, done) => {
    whereMirrored(scope, mirror);
    health(scope);
    void scope.register((inner, _none, registered) => {
      if (door !== undefined) operatorDoor(inner, door);
      if (mirror.leader !== undefined) leaderFirst(inner, mirror.leader);
      mirrorQueue(inner, mirror);
      mirrorHolds(inner, mirror);
      if (door !== undefined) {
        mirrorOrders(inner, mirror);
        holdOrders(inner, mirror);
      }
      registered();
    });
    done();
  });
}
