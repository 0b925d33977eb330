import type { Registry } from 'prom-client';
import { mediumFault } from '../../base/state/medium-fault.ts';
import type { DiskTierEvents } from '../../store/disk-tier/events.ts';
import type { SendingEvents } from '../../store/sending/events.ts';
import { counter, gauge } from './kinds.ts';
import { table } from './table.ts';

/** Counts what the disk before the bucket does. */
export function diskEvents(registry: Registry): DiskTierEvents {
  const bytesHeld = gauge(registry, table.disk);
  const blobsHeld = gauge(registry, table.diskBlobs);
  const reads = counter(registry, table.diskReads);
  const evicted = counter(registry, table.diskEvicted);
  const failures = counter(registry, table.diskFailures);
  return {
    diskRead({ result }) {
      reads(result).value += 1;
    },
    diskChanged({ bytes, blobs }) {
      bytesHeld().value = bytes;
      blobsHeld().value = blobs;
    },
    diskEvicted() {
      evicted().value += 1;
    },
    diskFailed({ operation, error }) {
      failures(operation, mediumFault(error)).value += 1;
    },
    diskUsabilityChanged() {},
  };
}

/** Counts what the kernel sends of files, and shows whether it does. */
export function sendingEvents(registry: Registry): SendingEvents {
  const sending = gauge(registry, table.kernelSending);
  const sent = counter(registry, table.kernelSent);
  return {
    kernelSendKnown({ state }) {
      sending(state).value = 1;
    },
    kernelSent({ bytes }) {
      sent().value += bytes;
    },
  };
}
