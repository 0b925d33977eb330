import { createDisk, hasCode } from '../../base/state/durable-file.ts';
import { RegistryError } from '../../oci/errors.ts';

/** The files of a store. Throws `UNAVAILABLE`, with the system's reason as cause. */
export const disk = createDisk({
  failure(doing, cause) {
    const message = hasCode(cause, 'ENOSPC', 'EDQUOT')
      ? 'the store is full'
      : `the store cannot ${doing === 'read' ? 'be read' : 'be written'}`;
    return new RegistryError('UNAVAILABLE', message, { cause });
  },
});
