/** What a lease adds to the name of its holder: `_` and a UUID. */
const addedLength = 37;

/**
 * The name of a holder, for those who look at the record: the process, and after an `@` the member
 * of the fleet that it is.
 */
export function holderOf(process: string, member: string | undefined): string {
  return member === undefined ? process : `${process}@${member}`;
}

/** The member in the name, as it stands in the record; undefined where there is none. */
export function memberIn(holder: string): string | undefined {
  const given = holder.slice(0, -addedLength);
  const at = given.lastIndexOf('@');
  return at < 0 ? undefined : given.slice(at + 1);
}
