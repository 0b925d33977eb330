import { join } from 'node:path';
import { type Test, test } from 'tap';
import { migratingReferences } from '../../../src/cli/migrate/migrate.ts';
import { kindsDouble } from '../../support/kinds-double.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';

const deployments = '/apis/apps/v1/deployments';

/** A cluster, the registry that its images have moved to, and the command. */
async function checkRig(t: Test) {
  const api = await kindsDouble(t, [deployments]);
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  const { digest } = registry.addImage('team/app', 'v1');
  const folder = t.testdir({ kubeconfig: api.kubeconfig, 'auth.json': '{}' });
  async function run(...args: string[]) {
    const io = recordedIo();
    const code = await migratingReferences()(
      [
        ...['--kubeconfig', join(folder, 'kubeconfig'), '--include=deployments', '--insecure', ...args],
        `old.test/*=${registry.host}/*`,
      ],
      { ...io, env: { REGISTRY_AUTH_FILE: join(folder, 'auth.json') } },
    );
    return { code, out: io.out(), err: io.err() };
  }
  return {
    ...{ api, registry, digest, run },
    deploy(name: string, ...images: string[]): void {
      const containers = images.map((image, index) => ({ name: `c${index}`, image }));
      const spec = { template: { spec: { containers } } };
      api.put(deployments, { metadata: { namespace: 'ci', name, uid: name }, spec });
    },
    images: (name: string) =>
      [...JSON.stringify(api.get(deployments, `ci/${name}`)).matchAll(/"image":"([^"]*)"/g)].map(
        ([, image]) => image,
      ),
    heads: () => registry.requests.filter(({ path }) => path.includes('/manifests/')),
  };
}

test('a reference that the new registry lacks stays and is named, and all else is migrated', async (t) => {
  const { deploy, images, run, registry } = await checkRig(t);
  deploy('a', 'old.test/team/app:v1', 'old.test/team/app:v2');
  const { code, out, err } = await run('--confirm');
  t.equal(code, 1);
  t.same(images('a'), [`${registry.host}/team/app:v1`, 'old.test/team/app:v2']);
  t.match(out, `old.test/team/app:v1 -> ${registry.host}/team/app:v1`);
  const what = `old.test/team/app:v2 stays, as ${registry.host}/team/app:v2 is not there`;
  t.match(err, `error:      -n ci deployments.apps/a: ${what}\n`);
  t.match(err, 'error: 1 references stay, as the new ones could not be found: mirror them first');
});

test('each new reference is asked for once, in a dry run too', async (t) => {
  const { deploy, run, heads, api } = await checkRig(t);
  for (const name of ['a', 'b', 'c', 'd', 'e']) deploy(name, 'old.test/team/app:v1', 'elsewhere.test/app');
  t.match(await run(), { code: 0, out: /errors=0 ignored=0 unchanged=0 migrated=5/ });
  t.equal(heads().length, 1);
  t.same(api.patches, []);
});

test('a reference by digest is asked for by digest', async (t) => {
  const { deploy, images, run, digest, registry } = await checkRig(t);
  const other = `sha256:${'e'.repeat(64)}`;
  deploy('a', `old.test/team/app@${digest}`, `old.test/team/app:v1@${other}`);
  t.match(await run('--confirm'), { code: 1, err: `team/app:v1@${other} is not there` });
  t.same(images('a'), [`${registry.host}/team/app@${digest}`, `old.test/team/app:v1@${other}`]);
});

test('a registry that cannot tell keeps every reference to it', async (t) => {
  const { deploy, images, run, registry } = await checkRig(t);
  deploy('a', 'old.test/team/app:v1');
  registry.switches.status = { of: 'manifests', code: 403 };
  t.match(await run('--confirm'), { code: 1, err: `${registry.host}/team/app:v1 cannot be looked up: ` });
  t.same(images('a'), ['old.test/team/app:v1']);
});

test('--no-check asks no registry', async (t) => {
  const { deploy, images, run, registry } = await checkRig(t);
  deploy('a', 'old.test/team/app:v2');
  t.match(await run('--confirm', '--no-check'), { code: 0 });
  t.same(images('a'), [`${registry.host}/team/app:v2`]);
  t.same(registry.requests, []);
});
