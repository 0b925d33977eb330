import { type Test, test } from 'tap';
import type { Subject } from '../src/auth/access.ts';
import type { Judge, Verdict } from '../src/auth/clusters/cluster.ts';
import type { Question } from '../src/auth/question.ts';
import { rulePresets } from '../src/auth/rules/rule-presets.ts';
import { createAuthorizer } from '../src/auth/rules/ruled-access.ts';
import { createRuleBook } from '../src/auth/rules/rules.ts';
import type { Digest } from '../src/oci/digest.ts';
import { parseTag } from '../src/oci/reference.ts';
import { type Cache, cacheRig } from './support/cache-rig.ts';
import { flatRepository } from './support/flat-repository.ts';

const ann: Subject = { name: 'ann', groups: ['system:authenticated'], cluster: 'app.ci' };

/** A cluster that lets every user read the image streams of one namespace. */
function readersOf(namespace: string): Judge {
  const answer = (question: Question): Verdict => ({ allowed: question.namespace === namespace });
  return { ask: (_, question) => answer(question), recall: (_, question) => answer(question) };
}

/** Public and private images in the one repository of CI, both pulled before. */
async function pulledRig(t: Test) {
  const rig = await cacheRig(t);
  const content = flatRepository(rig.double, rig.repository);
  const open = content.image(['base', 'cli'], 'ocp_4.20_cli', '20261122000000_prune_ocp_4.20_cli');
  const secret = content.image(['base', 'cli', 'embargoed'], 'ocp-priv_4.20_cli');
  const place = { upstream: 'quay.io', repository: rig.repository };
  for (const tag of ['ocp_4.20_cli', 'ocp-priv_4.20_cli'])
    await rig.registry.manifests.resolve(rig.repository, { tag: parseTag(tag) });
  await rig.settled();

  function may({ reach }: Pick<Cache, 'reach'>, namespace = 'ocp') {
    const rules = createRuleBook(rulePresets.imagestream);
    const access = createAuthorizer({ rules, reach, judge: readersOf(namespace) });
    return async (digest: Digest): Promise<boolean> =>
      (await access.authorize(ann, { ...place, reference: { digest }, action: 'pull' })).allowed;
  }
  return { rig, content, open, secret, may };
}

async function allowed(may: (digest: Digest) => Promise<boolean>, digests: readonly Digest[]) {
  const answers = await Promise.all(digests.map(may));
  return digests.filter((_, at) => answers[at]);
}

test('who may read ocp gets all of its image by digest, and of a private one only what both have', async (t) => {
  const { rig, open, secret, may } = await pulledRig(t);
  for (const cache of [rig, rig.replica()]) {
    t.same(await allowed(may(cache), open.all), open.all);
    t.same(await allowed(may(cache), secret.all), secret.layers.slice(0, 2));
    t.same(await allowed(may(cache, 'ocp-priv'), secret.all), secret.all);
    t.same(await allowed(may(cache, ''), [...open.all, ...secret.all]), [...open.all, ...secret.all]);
  }
});

test('a private image that was published by a public tag is readable from then on', async (t) => {
  const { rig, content, secret, may } = await pulledRig(t);
  content.image(['base', 'cli', 'embargoed'], 'ocp_4.20_published');
  await rig.registry.manifests.resolve(rig.repository, { tag: parseTag('ocp_4.20_published') });
  t.same(await allowed(may(rig), secret.all), secret.all);
});

test('a signature is for those who may read what is signed', async (t) => {
  const { rig, content, open, secret, may } = await pulledRig(t);
  const signatures = [open, secret].map(({ digest }) => content.artifact(digest, `signature of ${digest}`));
  for (const { digest } of [open, secret]) await rig.registry.listings.referrers(rig.repository, digest, '');
  for (const { digest } of signatures) await rig.registry.manifests.resolve(rig.repository, { digest });
  const [mine, other] = signatures;
  t.same(await allowed(may(rig), mine?.all ?? []), mine?.all);
  t.same(await allowed(may(rig), other?.all ?? []), []);
});

test('a tag that comes to mean something else takes its readers along at once', async (t) => {
  const { rig, content, secret, may } = await pulledRig(t);
  const next = content.image(['base', 'next'], 'ocp-priv_4.20_cli');
  rig.pass(70_000);
  await rig.registry.manifests.resolve(rig.repository, { tag: parseTag('ocp-priv_4.20_cli') });
  t.same(await allowed(may(rig, 'ocp-priv'), next.all), next.all);
  t.same(
    await allowed(may(rig, 'ocp-priv'), secret.all),
    secret.all,
    'who is in the middle of a pull may end it',
  );
  t.same(await allowed(may(rig), next.all), next.layers.slice(0, 1));
});
