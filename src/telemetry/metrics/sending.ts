import type { Registry } from 'prom-client';
import type { SendingEvents } from '../../store/sending/events.ts';
import { counter, gauge } from './kinds.ts';
import { table } from './table.ts';

/** Counts what the kernel sends, and shows whether it does. */
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
