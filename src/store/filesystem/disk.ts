import { createDisk } from '../../base/state/durable-file.ts';
import { isDiskFull } from '../../base/state/medium-fault.ts';
import { RegistryError } from '../../oci/errors.ts';

/** The files of a store. Throws `UNAVAILABLE`, with the system's reason as cause. */
export const disk = createDisk({
  failure(doing, cause) {
    const message = isDiskFull(cause)
      ? 'the store is full'
      : `the store cannot ${doing === 'read' ? 'be read' : 'be written'}`;
    return new RegistryError('UNAVAILABLE', message, { cause });
  },
});
