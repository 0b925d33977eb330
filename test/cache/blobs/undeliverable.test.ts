import { test } from 'tap';
import { Undeliverable } from '../../../src/cache/blobs/undeliverable.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { type ErrorCode, RegistryError } from '../../../src/oci/errors.ts';
import { parseRepository } from '../../../src/oci/reference.ts';

const repository = parseRepository('team/app');
const digest = digestOf(Buffer.from('blob'));

function made(withholdMs = 60_000) {
  const clock = { now: 1_000_000 };
  const undeliverable = new Undeliverable({ withholdMs, now: () => clock.now });
  const fail = (code: ErrorCode, retryAfterSeconds?: number) =>
    undeliverable.failed(
      repository,
      digest,
      new RegistryError(code, 'x', retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    );
  return { clock, undeliverable, fail };
}

test('what failed is known for its time, under the repository in which it failed', (t) => {
  const { clock, undeliverable, fail } = made();
  t.ok(undeliverable.isEmpty);
  fail('UNAVAILABLE');
  t.notOk(undeliverable.isEmpty);
  t.match(undeliverable.failureOf(repository, digest), { code: 'UNAVAILABLE' });
  t.equal(undeliverable.failureOf(parseRepository('team/other'), digest), undefined);
  clock.now += 59_999;
  t.ok(undeliverable.failureOf(repository, digest));
  clock.now += 1;
  t.equal(undeliverable.failureOf(repository, digest), undefined);
  t.ok(undeliverable.isEmpty);
  t.end();
});

test('each failure has a time of its own', (t) => {
  const { clock, undeliverable, fail } = made();
  fail('UNAVAILABLE');
  clock.now += 30_000;
  undeliverable.failed(parseRepository('team/other'), digest, new RegistryError('UNAVAILABLE', 'x'));
  clock.now += 30_000;
  t.equal(undeliverable.failureOf(repository, digest), undefined);
  t.ok(undeliverable.failureOf(parseRepository('team/other'), digest));
  t.end();
});

test('what has come is not withheld any more', (t) => {
  const { undeliverable, fail } = made();
  fail('UNAVAILABLE');
  undeliverable.came(repository, digest);
  t.equal(undeliverable.failureOf(repository, digest), undefined);
  t.end();
});

test('an upstream that throttles is left alone for as long as it asks, or for a second', (t) => {
  const { clock, undeliverable, fail } = made();
  const refuse = () => undeliverable.refuseThrottled(repository, digest);
  fail('UNAVAILABLE', 30);
  t.doesNotThrow(refuse, 'other trouble is tried again');
  for (const [asked, ms] of [
    [3, 3_000],
    [undefined, 1_000],
  ] as const) {
    fail('TOOMANYREQUESTS', asked);
    clock.now += ms - 1;
    t.throws(refuse, { code: 'TOOMANYREQUESTS' });
    clock.now += 1;
    t.doesNotThrow(refuse);
  }
  t.end();
});

test('a clock that is set back withholds nothing for longer', (t) => {
  const { clock, undeliverable, fail } = made();
  fail('TOOMANYREQUESTS', 30);
  clock.now -= 3_600_000;
  t.doesNotThrow(() => undeliverable.refuseThrottled(repository, digest));
  t.equal(undeliverable.failureOf(repository, digest), undefined);
  t.end();
});

test('with 0 nothing is withheld', (t) => {
  const { undeliverable, fail } = made(0);
  fail('UNAVAILABLE');
  t.ok(undeliverable.isEmpty);
  t.equal(undeliverable.failureOf(repository, digest), undefined);
  t.end();
});
