import type { RegistryError } from '../../oci/errors.ts';
import type { Caller } from '../operators/operator-access.ts';

interface CallerPlacesOptions {
  /** At a time. Users of clusters who are no operators have half of them. */
  readonly most: number;
  /** Of one such user. */
  readonly mostOfOne: number;
  /** What a caller is told for whom there is none. */
  readonly full: () => RegistryError;
}

/** Places for work under way, of which users who are no operators leave some to operators. */
export function createPlaces({ most, mostOfOne, full }: CallerPlacesOptions) {
  const taken = new Set<{ readonly user: string | undefined }>();
  return {
    /** A place until it is disposed of. Throws where there is none for this caller. */
    take(caller: Caller): Disposable {
      const place = { user: userOf(caller) };
      if (taken.size >= most) throw full();
      if (place.user !== undefined) {
        const users = [...taken].flatMap(({ user }) => user ?? []);
        const own = users.filter((user) => user === place.user);
        if (users.length >= most / 2 || own.length >= mostOfOne) throw full();
      }
      taken.add(place);
      return { [Symbol.dispose]: () => void taken.delete(place) };
    },
  };
}

/** Undefined for operators. */
function userOf({ isOperator, name, subject }: Caller): string | undefined {
  return isOperator ? undefined : `${subject?.cluster} ${name}`;
}
