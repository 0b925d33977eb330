import type { Entered } from '../../src/base/state/succession.ts';
import { Succession } from '../../src/base/state/succession.ts';

/** Gives every request this generation, or what a test needs of one. */
export function entering<Parts>(parts: Parts): () => Entered<Parts> {
  const succession = new Succession(parts);
  return () => succession.enter();
}
