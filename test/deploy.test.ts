import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { type Document, parseAllDocuments } from 'yaml';
import { cases, deploy } from './deploy/cases.ts';
import { Rendered } from './deploy/rendered.ts';

async function yamlFiles(): Promise<string[]> {
  const paths = await readdir(deploy, { recursive: true });
  return paths.filter((path) => path.endsWith('.yaml') && !/^(?:chart|monitoring)\//.test(path));
}

/** The objects of a manifest. */
async function objects(path: string): Promise<Document[]> {
  return [...parseAllDocuments(await readFile(join(deploy, path), 'utf8'))];
}

async function object(path: string): Promise<Document> {
  const [document] = await objects(path);
  if (document === undefined) throw new Error(`${path} holds no object`);
  return document;
}

test('every YAML file parses, and every object of a cluster has kind and name', async (t) => {
  for (const path of await yamlFiles()) {
    for (const document of await objects(path)) {
      t.same(document.errors, [], path);
      if (!path.includes('/')) continue;
      const named = path.endsWith('kustomization.yaml') ? [] : [['metadata', 'name']];
      for (const field of [['apiVersion'], ['kind'], ...named])
        t.type(document.getIn(field), 'string', `${path}: ${field.join('.')}`);
    }
  }
});

test('the mirror sets send the same repositories to the same place, which the cache serves', async (t) => {
  const tags = await object('openshift/tag-mirrors.yaml');
  const digests = await object('openshift/digest-mirrors.yaml');
  const [tagSet, digestSet] = [
    tags.getIn(['spec', 'imageTagMirrors', 0]),
    digests.getIn(['spec', 'imageDigestMirrors', 0]),
  ];
  t.equal(String(tagSet), String(digestSet));
  const entry = ['spec', 'imageTagMirrors', 0] as const;
  const source = String(tags.getIn([...entry, 'source']));
  t.equal(source, 'quay-proxy.ci.openshift.org/openshift/ci');
  const mirror = String(tags.getIn([...entry, 'mirrors', 0]));
  const next = String(tags.getIn([...entry, 'mirrors', 1]));
  const provider = await object('openshift/credential-provider.yaml');
  t.equal(provider.getIn(['spec', 'matchImages', 0]), source, 'the source, and not a mirror');
  const [cache] = cases;
  if (cache === undefined) throw new Error('no case');
  const { hosts, upstreams } = (await Rendered.of(cache)).config;
  const [host = '', upstream = '', ...repository] = mirror.split('/');
  t.ok(hosts[host]);
  t.equal(`${upstream}/${repository.join('/')}`, next, 'QCI, when Quayside does not answer');
  t.ok(upstreams[upstream]?.repositories?.includes(repository.join('/')));
});
