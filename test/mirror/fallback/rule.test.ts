import { test } from 'tap';
import { Expression } from '../../../src/base/text/expression.ts';
import { createMissRule } from '../../../src/mirror/fallback/rule.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';

const target = { namespace: 'ci', name: 'boskos', tag: 'latest' };
const qci = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };

function sourceOf(tag: string, config: Partial<Parameters<typeof createMissRule>[0]> = {}, place = qci) {
  return createMissRule({ supplemental: [], ignored: [], ...config })(place, parseTag(tag));
}

test("a tag that is named after an image stream's tag comes from app.ci", (t) => {
  t.same(sourceOf('ocp_4.5_base_with_more'), {
    text: 'registry.ci.openshift.org/ocp/4.5:base_with_more',
    registry: 'registry.ci.openshift.org',
    repository: 'ocp/4.5',
    reference: { tag: 'base_with_more' },
    sourceTagRef: { namespace: 'ocp', name: '4.5', tag: 'base_with_more' },
  });
  t.end();
});

test('what the configuration names comes from there', (t) => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const from = (source: string) =>
    sourceOf('ci_boskos_latest', { supplemental: [{ target, source: parseImageReference(source) }] });
  t.match(from('docker.io/boskos:1'), {
    registry: 'docker.io',
    repository: 'library/boskos',
    reference: { tag: '1' },
  });
  t.match(from(`gcr.io/k8s/boskos@${digest}`), { registry: 'gcr.io', reference: { digest } });
  t.match(from('gcr.io/k8s/boskos'), { reference: { tag: 'latest' } });
  t.notOk(from('gcr.io/k8s/boskos')?.sourceTagRef);
  t.end();
});

test('an ignored source gives nothing, by whichever way it is named', (t) => {
  const reason = 'broken';
  const named = 'gcr.io/k8s/boskos:1';
  const own = 'registry.ci.openshift.org/ci/boskos:latest';
  const supplemental = [{ target, source: parseImageReference(named) }];
  t.equal(sourceOf('ci_boskos_latest', { ignored: [{ source: own, reason }] }), undefined);
  t.equal(sourceOf('ci_boskos_latest', { supplemental, ignored: [{ source: named, reason }] }), undefined);
  t.ok(sourceOf('ci_boskos_latest', { supplemental, ignored: [{ source: own, reason }] }));
  t.end();
});

test('tags that keep, stage or mark something come from nowhere', (t) => {
  for (const tag of [
    '20240603235401_prune_ci_a_latest',
    '20240603_sha256_abc',
    'rc_payload__4.16.0-rc.1',
    'ocp_4.5_base_incoming',
    'ocp_4.5_base__pre',
    'latest',
    'ocp_base',
  ])
    t.equal(sourceOf(tag), undefined, tag);
  t.end();
});

test('other repositories, and sources that lead back, have no rule', (t) => {
  const elsewhere = { upstream: 'quay.io', repository: parseRepository('team/app') };
  t.equal(sourceOf('ocp_4.5_base', {}, elsewhere), undefined);
  t.equal(sourceOf('ocp_4.5_base', {}, { ...qci, upstream: 'docker.io' }), undefined);
  const back = parseImageReference('quay.io/openshift/ci:other');
  t.equal(sourceOf('ci_boskos_latest', { supplemental: [{ target, source: back }] }), undefined);
  t.end();
});

test('the repository that is filled may be another', (t) => {
  const place = { upstream: 'localhost:5000', repository: parseRepository('ci') };
  const rule = createMissRule({ supplemental: [], ignored: [] }, { destination: 'localhost:5000/ci' });
  t.ok(rule(place, parseTag('ocp_4.5_base')));
  t.equal(rule(qci, parseTag('ocp_4.5_base')), undefined);
  t.end();
});

test('what may come from app.ci can be limited, but not what the configuration names', (t) => {
  const imageStreams = Expression.whole('(?:ocp|ci)/[^/]+');
  const source = 'gcr.io/k8s/private:1';
  const privately = { namespace: 'ocp-priv', name: 'named', tag: 'latest' };
  const rule = createMissRule(
    { supplemental: [{ target: privately, source: parseImageReference(source) }], ignored: [] },
    { imageStreams },
  );
  const from = (tag: string) => rule(qci, parseTag(tag))?.text;
  for (const time of ['first', 'second'])
    t.equal(from('ocp_4.5_base'), 'registry.ci.openshift.org/ocp/4.5:base', time);
  t.equal(from('ocp-priv_4.5_base'), undefined);
  t.equal(from('ocp-priv_named_latest'), source);
  t.end();
});

test('a tag of a target whose names hold the separator comes from where the configuration says', (t) => {
  const odd = { namespace: 'rh_ee_abc', name: 'aro-hcp', tag: 'v1.0' };
  const config = { supplemental: [{ target: odd, source: parseImageReference('gcr.io/k8s/aro:1') }] };
  t.equal(sourceOf('rh_ee_abc_aro-hcp_v1.0', config)?.text, 'gcr.io/k8s/aro:1');
  t.equal(
    sourceOf('rh_ee_abc_aro-hcp_v1.1', config)?.text,
    'registry.ci.openshift.org/rh/ee:abc_aro-hcp_v1.1',
  );
  t.end();
});
