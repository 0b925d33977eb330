import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fencesOf } from '../../support/fences.ts';
import { type KubeApiserver, kubeApiserver } from '../fixtures/kube-apiserver.ts';
import { people } from '../fixtures/people.ts';
import { command } from '../fixtures/quayside.ts';
import type { Scenario, Scene } from '../scenario.ts';

const project = join(import.meta.dirname, '../../..');
const crds = join(import.meta.dirname, '../crds');

/** In the order in which they are followed; each in a directory of its own. */
const pages = [
  'docs/how-to/cache.md',
  'docs/deploying.md',
  'docs/how-to/ci-images-mirror.md',
  'docs/how-to/qci-appci.md',
  'docs/how-to/nodes.md',
  'docs/how-to/anywhere.md',
  'docs/cluster-login.md',
  'docs/clients.md',
] as const;

/**
 * The commands of the pages for operators that an API server can answer, as they are written there:
 * by kubectl, under the name oc as well, and by Helm. What needs nodes, pods or a router is marked
 * as an example.
 */
export const howTo: Scenario = {
  name: 'how-to',
  needs: ['helm', 'kubernetes'],
  async play(scene) {
    const { fact, stage } = scene;
    const server = await kubeApiserver(scene, 'cluster');
    const env = await operatorsMachine(scene, server);
    await prepared(server);
    for (const page of pages) {
      const cwd = await operatorsFolder(scene, page);
      const sh = (script: string) => stage.run('sh', ['-e', '-c', script], { env, cwd });
      for (const { language, marks, text } of fencesOf(await readFile(join(project, page), 'utf8'))) {
        const mark = marks.join(' ');
        if (language === 'yml' && mark !== '') await writeFile(join(cwd, mark), text);
        if (language !== 'sh' || mark !== 'run cluster') continue;
        await fact(`${page}: ${text.split('\n')[0]}`, () =>
          sh(text.replaceAll('OLD_CACHE', 'old.example.com')),
        );
      }
      // Several pages install the same.
      const { stdout } = await sh('helm list --all-namespaces --output json');
      for (const { name, namespace } of JSON.parse(stdout) as readonly Release[])
        await sh(`helm uninstall ${name} --namespace ${namespace}`);
    }
  },
};

/** As Helm lists it. */
interface Release {
  readonly name: string;
  readonly namespace: string;
}

/** The objects that the pages take to be there already. */
async function prepared({ kubectl, apply }: KubeApiserver): Promise<void> {
  await kubectl(['apply', '--server-side', '--filename', crds]);
  await kubectl(['wait', '--for=condition=Established', '--timeout=60s', '--filename', crds]);
  for (const namespace of ['ci', 'ocp', 'quayside', 'team-1'])
    await kubectl(['create', 'namespace', namespace]);
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' };
  const layers = { apiGroups: ['image.openshift.io'], resources: ['imagestreams/layers'], verbs: ['get'] };
  const route = { to: { kind: 'Service', name: 'qci-appci' }, port: { targetPort: 'https' } };
  await apply('before.json', [
    { ...role, metadata: { name: 'system:image-puller' }, rules: [layers] },
    deployment('ci-images-mirror'),
    deployment('qci-appci'),
    {
      apiVersion: 'route.openshift.io/v1',
      kind: 'Route',
      metadata: { namespace: 'ci', name: 'qci-appci' },
      spec: { host: 'quay-proxy.ci.openshift.org', ...route },
    },
  ]);
}

/** One of a predecessor's, with arguments. */
function deployment(name: string): object {
  const labels = { app: name };
  const containers = [{ name, image: 'registry.example.com/old', args: ['--dry-run=false'] }];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: 'ci', name },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  };
}

/** A shell that finds kubectl, oc, helm and quayside, with the rights of an administrator. */
async function operatorsMachine({ stage, path }: Scene, server: KubeApiserver): Promise<NodeJS.ProcessEnv> {
  const [bin, home] = [join(stage.directory, 'bin'), join(stage.directory, 'home')];
  for (const folder of [bin, home]) await mkdir(folder);
  const program = async (name: string, lines: string): Promise<void> => {
    await writeFile(join(bin, name), `#!/bin/sh\n${lines}\n`);
    await chmod(join(bin, name), 0o755);
  };
  // A difference is no failure: exit code 1.
  const kubectl = `${path('kubernetes')} kubectl "$@"`;
  for (const name of ['kubectl', 'oc']) await program(name, `${kubectl} || [ "$1 $?" = "diff 1" ]`);
  await program('helm', `exec ${path('helm')} "$@"`);
  await program('quayside', `exec ${process.execPath} ${command} "$@"`);
  return {
    PATH: `${bin}${delimiter}${process.env['PATH']}`,
    HOME: home,
    KUBECONFIG: await server.kubeconfig('operator', people.admin.token),
  };
}

/** What a reader has at hand: a checkout, values, a token, logins. */
async function operatorsFolder({ stage }: Scene, page: string): Promise<string> {
  const folder = join(stage.directory, page.replaceAll('/', '-'));
  for (const part of ['core-services/image-mirroring', 'ci-operator/config', 'ci-operator/step-registry'])
    await mkdir(join(folder, 'release', part), { recursive: true });
  await symlink(join(project, 'deploy'), join(folder, 'deploy'));
  for (const [name, text] of Object.entries({
    'my-values.yaml': 'image: { repository: registry.example.com/tools/quayside }\n',
    'auth.json': '{"auths":{}}',
    token: 'a-token\n',
    'release/core-services/image-mirroring/_config.yaml': '{}\n',
  }))
    await writeFile(join(folder, name), text);
  return folder;
}
