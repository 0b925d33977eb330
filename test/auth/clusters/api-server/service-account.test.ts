import { test } from 'tap';
import { claimedSubject } from '../../../../src/auth/clusters/api-server/service-account.ts';

const claims = {
  sub: 'system:serviceaccount:ci:puller',
  jti: 'id-1',
  'kubernetes.io': {
    namespace: 'ci',
    serviceaccount: { name: 'puller', uid: 'u-1' },
    pod: { name: 'build-1', uid: 'p-1' },
    node: { name: 'worker-1', uid: 'n-1' },
  },
};

test('the claims of a bound token say what a review would', (t) => {
  t.same(claimedSubject(claims, 'app.ci'), {
    name: 'system:serviceaccount:ci:puller',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:ci', 'system:authenticated'],
    uid: 'u-1',
    extra: {
      'authentication.kubernetes.io/credential-id': ['JTI=id-1'],
      'authentication.kubernetes.io/pod-name': ['build-1'],
      'authentication.kubernetes.io/pod-uid': ['p-1'],
      'authentication.kubernetes.io/node-name': ['worker-1'],
      'authentication.kubernetes.io/node-uid': ['n-1'],
    },
    cluster: 'app.ci',
  });
  t.end();
});

test('claims that contradict each other have no subject', (t) => {
  const own = claims['kubernetes.io'];
  for (const wrong of [
    {},
    { ...claims, sub: 'system:serviceaccount:ci:admin' },
    { ...claims, 'kubernetes.io': { ...own, namespace: 'other' } },
    { ...claims, 'kubernetes.io': { ...own, serviceaccount: { name: 'puller' } } },
    { ...claims, 'kubernetes.io': null },
  ])
    t.equal(claimedSubject(wrong, 'app.ci'), undefined);
  t.end();
});
