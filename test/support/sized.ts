/**
 * How many there are of what a test has many of: few where few show the fact too, and all that a
 * user may have with `npm test -- --long`.
 */
export function sized(few: number, all: number): number {
  return process.env['QUAYSIDE_TEST_LONG'] === undefined ? few : all;
}
