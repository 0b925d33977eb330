import { RegistryError } from './errors.ts';

/** Whether that is a clear no: there is no such manifest, or no such repository. */
export function isNotFound(error: unknown): boolean {
  return (
    error instanceof RegistryError && (error.code === 'MANIFEST_UNKNOWN' || error.code === 'NAME_UNKNOWN')
  );
}
