import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { image, releaseFiles } from './mirror/test-inputs/release.ts';
import { until } from './support/bodies.ts';
import { imageStreamDouble } from './support/image-stream-double.ts';
import { type RegistryDouble, registryDouble } from './support/registry-double.ts';
import { serviceRig } from './support/service.ts';

const ci = 'openshift/ci';

test('of the image streams that are watched, what tests use and what the settings name is copied, and nothing else', async (t) => {
  const [api, qci, appCi] = await Promise.all([imageStreamDouble(), registryDouble(), registryDouble()]);
  t.teardown(() => Promise.all([api.close(), qci.close(), appCi.close()]));
  const images = ['cli', 'named', 'other'].map((tag) => [tag, appCi.addImage('ocp/4.20', tag)] as const);
  api.put(
    'ocp/4.20',
    Object.fromEntries(images.map(([tag, { digest }]) => [tag, { digest, mediaType: '' }])),
  );
  const folder = t.testdir({
    release: releaseFiles({ 'a.yaml': `base_images: {a: ${image('ocp/4.20:cli')}}`, 'b.yaml': 'tests: [' }),
  });
  const kubeconfigFile = join(folder, 'kubeconfig');
  await writeFile(kubeconfigFile, api.kubeconfig);
  const registry = ({ url }: RegistryDouble) => ({ url, allowPrivateAddresses: true, retries: 1 });
  const rig = await serviceRig(t, {
    double: qci,
    settings: {
      clusters: { 'app.ci': { kubeconfigFile } },
      mirror: {
        imageStreams: {
          cluster: 'app.ci',
          watch: true,
          releaseRepo: join(folder, 'release'),
          additionalTags: ['ocp/4.20:named'],
        },
      },
      upstreams: { 'quay.io': registry(qci), 'registry.ci.openshift.org': registry(appCi) },
    },
  });
  for (const tag of ['cli', 'named'])
    await until(() => qci.tagOf(ci, `ocp_4.20_${tag}`) === appCi.tagOf('ocp/4.20', tag), tag);
  t.equal(qci.tagOf(ci, 'ocp_4.20_other'), undefined);
  const said = (message: RegExp) => rig.log.find(({ msg }) => message.test(msg));
  t.match(said(/^Cannot read a ci-operator/), {
    level: 'warn',
    file: 'ci-operator/config/openshift/thing/b.yaml',
  });
  t.match(said(/^Configs reloaded$/), { component: 'ci-images-mirror', files: 2, keys: 1 });
});
