import { test } from 'tap';
import { reviewedSubject, reviewedVerdict } from '../../../../src/auth/clusters/api-server/reviews.ts';

const verdict = (status: object) =>
  reviewedVerdict(JSON.stringify({ kind: 'SubjectAccessReview', status })).allowed;
const subject = (status: object) =>
  reviewedSubject(JSON.stringify({ kind: 'TokenReview', status }), 'app.ci');

test('only allowed without denied is a yes', async (t) => {
  t.equal(verdict({ allowed: true }), true);
  t.equal(verdict({ allowed: true, denied: false }), true);
  t.equal(verdict({ allowed: true, denied: null }), true);
  t.equal(verdict({ allowed: true, denied: true }), false);
  t.equal(verdict({ allowed: false, denied: true }), false);
  t.equal(verdict({ allowed: false }), false);
});

test('a verdict in other words than true and false is neither yes nor no', async (t) => {
  for (const status of [{}, { allowed: 'true' }, { allowed: true, denied: 'no' }, { allowed: 1 }]) {
    t.throws(() => verdict(status), { message: /other than a review/ }, JSON.stringify(status));
  }
});

test('a token that is authenticated, but not as true, is of no subject', async (t) => {
  const user = { username: 'alice' };
  t.match(subject({ authenticated: true, user }), { name: 'alice' });
  t.equal(subject({ authenticated: false, user }), undefined);
  for (const authenticated of ['yes', 'true', 1, null]) {
    t.throws(
      () => subject({ authenticated, user }),
      { message: /other than a review/ },
      String(authenticated),
    );
  }
});
