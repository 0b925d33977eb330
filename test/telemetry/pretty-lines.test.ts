import { test } from 'tap';
import { logger } from '../../src/telemetry/log.ts';
import { prettyLines } from '../../src/telemetry/pretty-lines.ts';

function prettyLog(hasColours: boolean) {
  const lines: string[] = [];
  const write = prettyLines((line) => lines.push(line), { hasColours });
  return { lines, write, log: logger({ level: 'debug', destination: { write } }) };
}

test('a line has time, level, part, message and fields, and no credential', (t) => {
  const { log, lines } = prettyLog(false);
  log.child({ component: 'serve' }).warn({ graceMs: 5, password: 'hunter2' }, 'stopping');
  t.match(lines.join(''), /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: serve: stopping \{"graceMs":5.*\}\n$/);
  t.notMatch(lines.join(''), 'hunter2');
  t.end();
});

test('colours are for terminals', (t) => {
  const { log, lines } = prettyLog(true);
  log.info('started');
  t.match(lines.join(''), '\u001b[');
  t.end();
});

test('lines of several workers that come at once are told apart, and other text passes', (t) => {
  const { write, lines } = prettyLog(false);
  const line = (worker: number) =>
    JSON.stringify({ level: 'info', time: '2026-11-30T12:00:00.000Z', worker, msg: 'a' });
  write(`${line(1)}\n${line(2)}\nno line of the log\n`);
  t.equal(lines.length, 3);
  t.match(lines[1], /INFO: a \{"worker":2\}/);
  t.match(lines[2], 'no line of the log');
  t.end();
});
