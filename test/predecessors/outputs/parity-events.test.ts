import { test } from 'tap';
import { parityLogged, parityWriter } from '../../../src/predecessors/outputs/parity-events.ts';
import { logger } from '../../../src/telemetry/log.ts';

function rig() {
  const lines: string[] = [];
  const told: unknown[] = [];
  const log = logger({ level: 'warn', destination: { write: (line) => lines.push(line) } });
  const events = parityLogged(
    { reviewed: (event) => void told.push(event), requested: (event) => void told.push(event) },
    log,
  );
  return { events, log, told, lines: () => lines.map((line) => JSON.parse(line)) };
}

test('each review of a token is told with its user, its outcome and its nanoseconds, whatever our level', (t) => {
  const { events, lines, told } = rig();
  const event = { cluster: 'app.ci', kind: 'token', seconds: 0.002 } as const;
  events.reviewed({ ...event, outcome: 'yes', subject: 'alice' });
  events.reviewed({ ...event, outcome: 'failed', failure: 'slow' });
  events.reviewed({ ...event, kind: 'access', outcome: 'yes' });
  const line = {
    level: 'debug',
    component: 'qci-appci',
    subComponent: 'simpleClusterTokenService',
    msg: 'Validated token',
    duration: 2_000_000,
  };
  t.match(lines(), [
    { ...line, username: 'alice', validated: true },
    { ...line, username: '', validated: false },
  ]);
  t.equal(lines().length, 2);
  t.equal(told.length, 3);
  t.end();
});

test('the robot’s own token is told when it was renewed, and when it could not be had', (t) => {
  const { events, lines } = rig();
  const event = { upstream: 'quay.io', kind: 'token', seconds: 0.1 } as const;
  events.requested({ ...event, status: 200 });
  events.requested({ ...event, status: 503 });
  events.requested({ ...event, kind: 'blob', status: 200 });
  t.same(
    lines().map(({ msg }) => msg),
    ['Renewing token ...', 'Renewed token', 'Renewing token ...', 'Failed to get robot token'],
  );
  t.end();
});

test('what a person put where the name belongs is scrubbed if it is a token', (t) => {
  const { log, lines } = rig();
  parityWriter(log)({ level: 'debug', message: 'x', fields: { username: 'sha256~abcdefgh', valid: false } });
  t.match(lines(), [{ username: '[redacted]', valid: false }]);
  t.end();
});
