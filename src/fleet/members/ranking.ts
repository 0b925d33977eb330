import { hash } from 'node:crypto';

/**
 * The members in the order in which they answer for a key: its owner first, then who takes over.
 * Rendezvous hashing: each member's place depends on its own name and the key only, so that a
 * member that comes or goes moves 1/N of the keys, and no list has to be agreed on.
 */
export function ranked(members: readonly string[], key: string): readonly string[] {
  if (members.length < 2) return members;
  return members
    .map((member) => ({ member, weight: weightOf(member, key) }))
    .sort((one, other) => other.weight - one.weight || (one.member < other.member ? -1 : 1))
    .map(({ member }) => member);
}

/** 48 bits of a hash: even, and exact as a number. */
function weightOf(member: string, key: string): number {
  return hash('sha256', `${member}\0${key}`, 'buffer').readUIntBE(0, 6);
}
