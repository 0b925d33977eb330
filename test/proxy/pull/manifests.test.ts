import { test } from 'tap';
import { badDay, getRaw } from '../../bad-days/rig.ts';

test('a warning in any script is passed on, and fails no pull', async (t) => {
  const rig = await badDay(t);
  rig.double.switches.warning = Buffer.from('299 - "veraltet – bitte wechseln"').toString('latin1');
  for (const when of ['cold', 'warm']) {
    const response = await rig.get('manifests/tools');
    t.equal(response.status, 200, when);
    const warning = Buffer.from(response.headers.get('warning') ?? '', 'latin1').toString();
    t.equal(warning, '299 - "veraltet – bitte wechseln"', when);
  }
});

test('a ping repeats the namespace of a registry that is configured, and writes no other into a header', async (t) => {
  const { url } = await badDay(t);
  for (const namespace of ['%E2%98%83', 'a%0d%0aevil:%201', '../..', 'evil.example']) {
    const { status, headers } = await getRaw(url, `/v2/?ns=${namespace}`);
    t.equal(status, 200, namespace);
    t.same([headers.get('oci-namespace'), headers.get('evil')], [null, null]);
  }
  t.equal((await getRaw(url, '/v2/?ns=quay.io')).headers.get('oci-namespace'), 'quay.io');
});
