import { test } from 'tap';
import { digestOf } from '../../src/oci/digest.ts';
import { logged } from '../../src/telemetry/event-log.ts';
import { logger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts';

/** Events that are logged, and the level and component of each line. */
function underLog() {
  const lines: string[] = [];
  const write = (line: string) => {
    const { level, component } = JSON.parse(line);
    lines.push(`${level} ${component}`);
  };
  const ignored = () => undefined;
  const mirroring = {
    imageMirrored: ignored,
    mirrorQueueChanged: ignored,
    workqueueAdded: ignored,
    workqueueRetried: ignored,
    workqueueChanged: ignored,
    workqueueStarted: ignored,
    workqueueEnded: ignored,
  };
  const log = logger({ level: 'info', destination: { write } });
  const events = logged({ ...createMetrics().events, ...mirroring }, log);
  return { events, lines: () => lines.splice(0) };
}

test('a failure of the store is a warning, and none while the store is left alone anyway', async (t) => {
  const { events, lines } = underLog();
  const failure = { operation: 'read', error: new Error('x') } as const;
  events.storeFailed(failure);
  t.same(lines(), ['warn cache']);
  events.availabilityChanged({ isAvailable: false });
  events.storeFailed(failure);
  t.same(lines(), ['warn cache'], 'of the breaker');
  events.availabilityChanged({ isAvailable: true });
  events.storeFailed(failure);
  t.same(lines(), ['info cache', 'warn cache']);
});

test('a download that was stored is no line, and one that found no room is a warning', async (t) => {
  const { events, lines } = underLog();
  const download = { upstream: 'quay.io', digest: digestOf(Buffer.from('blob')) };
  events.fillEnded({ ...download, outcome: 'stored' });
  t.same(lines(), []);
  events.fillEnded({ ...download, outcome: 'failed' });
  events.fillEnded({ ...download, outcome: 'spool-full' });
  t.same(lines(), ['info cache', 'warn cache']);
});

test('why a part cannot serve is a warning, and that it can again is a line', async (t) => {
  const { events, lines } = underLog();
  const error = new Error('x');
  const [upstream, destination] = ['quay.io', 'quay.io/openshift/ci:x'];
  events.usabilityChanged?.({ isUsable: false, error });
  events.usabilityChanged?.({ isUsable: true });
  events.spoolUsabilityChanged?.({ isUsable: false, error });
  events.spoolUsabilityChanged?.({ isUsable: true });
  t.same(lines(), ['warn cache', 'info cache', 'warn cache', 'info cache']);
  events.reachabilityChanged?.({ upstream, isReachable: false, error });
  events.reachabilityChanged?.({ upstream, isReachable: true });
  events.waitFailed?.({ destination, error });
  t.same(lines(), ['warn upstream', 'info upstream', 'warn upstream']);
  events.readinessChanged?.({ isReady: false, parts: { store: 'no' } });
  events.readinessChanged?.({ isReady: true, parts: { store: 'yes' } });
  t.same(lines(), ['warn proxy', 'info proxy']);
});

test('a helper that is not run is a warning, as one that fails is, and an answer is none', async (t) => {
  const { events, lines } = underLog();
  const place = { file: 'auth.json', key: 'credsStore', helper: 'x', reason: 'y' };
  events.helperRefused?.(place);
  const run = { helper: 'x', registry: 'quay.io' };
  events.helperAsked?.({ ...run, outcome: 'answered' });
  events.helperAsked?.({ ...run, outcome: 'failed', error: new Error('z') });
  t.same(lines(), ['warn upstream', 'warn upstream']);
});
