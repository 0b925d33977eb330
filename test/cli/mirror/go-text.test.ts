import { test } from 'tap';
import { binarySize, decimalSize, durationText } from '../../../src/cli/mirror/go-text.ts';

test('sizes have four digits and the unit that fits', async (t) => {
  t.same([0, 999, 1_000, 16_812_345, 2.5e12].map(decimalSize), ['0B', '999B', '1kB', '16.81MB', '2.5TB']);
  t.same([0, 1_023, 1_536, 70_000, 2 ** 31].map(binarySize), ['0B', '1023B', '1.5KiB', '68.36KiB', '2GiB']);
});

test('durations are cut to hundredths of a second', async (t) => {
  const seconds = [0, 0.004, 0.08, 1.2, 59.999, 60, 64.5, 3600, 9223.979];
  t.same(seconds.map(durationText), [
    '0s',
    '0s',
    '80ms',
    '1.2s',
    '59.99s',
    '1m0s',
    '1m4.5s',
    '1h0m0s',
    '2h33m43.97s',
  ]);
});
