import type { Registry } from 'prom-client';
import type { FleetEvents } from '../../fleet/events.ts';
import { counter, gauge } from './kinds.ts';
import { table } from './table.ts';

/** Counts what passes between the members of a fleet. */
export function fleetEvents(registry: Registry): FleetEvents {
  const members = gauge(registry, table.fleetMembers);
  const asked = counter(registry, table.fleetAsked);
  const answered = counter(registry, table.fleetAnswered);
  const failures = counter(registry, table.fleetFailures);
  const takeovers = counter(registry, table.fleetTakeovers);
  const bytes = counter(registry, table.fleetBytes);
  const workerBytes = counter(registry, table.workerBytes);
  const strangers = counter(registry, table.fleetStrangers);
  return {
    memberAsked({ kind, word }) {
      asked(kind, word).value += 1;
    },
    memberAnswered({ kind, word }) {
      answered(kind, word).value += 1;
    },
    memberFailed() {
      failures().value += 1;
    },
    tookOver() {
      takeovers().value += 1;
    },
    memberBytes(event) {
      bytes(event.direction).value += event.bytes;
    },
    workerBytes(event) {
      workerBytes(event.direction).value += event.bytes;
    },
    strangerRefused() {
      strangers().value += 1;
    },
    membersChanged({ live }) {
      members().value = live.length;
    },
  };
}
