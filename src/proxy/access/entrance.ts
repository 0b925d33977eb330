import type { Entered } from '../../base/state/succession.ts';
import type { Admission } from './admission.ts';
import type { Challenger } from './challenge.ts';
import type { Hosts } from './hosts.ts';
import type { Router } from './route.ts';

/** What one configuration says of who comes in, and where to. It never changes. */
export interface Entrance {
  readonly hosts: Hosts;
  readonly route: Router;
  readonly challenge: Challenger;
  readonly admission: Admission;
}

/** Gives a request what is in force, until nothing of its answer is left to do. */
export type EnterBy<Part extends keyof Entrance> = () => Entered<Pick<Entrance, Part>>;
