import { RegistryError } from '../oci/errors.ts';

/** A login is neither right nor wrong while what tells that cannot be read or used. */
export function loginsUnavailable(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'logins cannot be checked at the moment', { cause });
}
