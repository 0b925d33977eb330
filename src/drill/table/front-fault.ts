import type { HttpFault } from '../fronts/faults.ts';
import type { HttpFront } from '../fronts/http-front.ts';
import type { Drill, FaultInForce } from './table.ts';

/** What a drill says of itself besides its fault: who is to notice it, and its bars. */
export type DrillRow = Partial<Drill> & Pick<Drill, 'conditions' | 'alerts'>;

/** Whether the body of a blob is asked for, of a registry or of a bucket. */
export const isBlobRead = (method: string, path: string): boolean =>
  method === 'GET' && path.includes('/blobs/');

interface FrontForce extends FaultInForce {
  end(): void;
  met(): number;
}

/** Begins the trouble at that front. */
export function frontFault(front: HttpFront, trouble: HttpFault): FrontForce {
  front.set(trouble);
  return { end: () => front.set(undefined), met: () => front.met() };
}
