import { test } from 'tap';
import { parseRequest, type RegistryRequest } from '../../../src/oci/request.ts';
import { createRouter } from '../../../src/proxy/access/route.ts';

const upstreams = new Map([
  ['quay.io', { repositories: ['openshift/*', 'exact'] }],
  ['docker.io', { library: true }],
  ['ghcr.io', { repositories: ['org/**'] }],
]);
const route = createRouter(upstreams, 'quay.io');

function routed(url: string, host?: string) {
  const parsed = parseRequest('GET', url);
  return route({ ...parsed, request: parsed.request as Exclude<RegistryRequest, { kind: 'ping' }> }, host);
}

test('the namespace comes first, then the host, then the path, then the default', async (t) => {
  t.match(routed('/v2/a/b/tags/list?ns=docker.io', 'quay.io'), {
    upstream: 'docker.io',
    request: { repository: 'a/b' },
  });
  t.match(routed('/v2/openshift/ci/tags/list', 'quay.io'), { upstream: 'quay.io' });
  t.match(routed('/v2/docker.io/a/b/tags/list', 'docker.io'), { request: { repository: 'docker.io/a/b' } });
  t.match(routed('/v2/docker.io/a/b/tags/list'), {
    upstream: 'docker.io',
    asked: 'docker.io/a/b',
    request: { repository: 'a/b' },
  });
  t.match(routed('/v2/openshift/ci/tags/list'), {
    upstream: 'quay.io',
    request: { repository: 'openshift/ci' },
  });
});

test('a registry that is not configured is unknown', async (t) => {
  t.throws(() => routed('/v2/a/tags/list?ns=evil.example'), {
    code: 'NAME_UNKNOWN',
    detail: { registry: 'evil.example' },
  });
  t.throws(() => routed('/v2/a/tags/list?ns=__proto__'), { code: 'NAME_UNKNOWN' });
  const strict = createRouter(upstreams, undefined);
  const parsed = parseRequest('GET', '/v2/a/b/tags/list');
  t.throws(() => strict({ ...parsed, request: parsed.request as never }, undefined), {
    code: 'NAME_UNKNOWN',
  });
});

test('only listed repositories pass: a star stays within a component, two cross them', async (t) => {
  for (const name of ['openshift/ci', 'exact', 'ghcr.io/org/a/b'])
    t.ok(routed(`/v2/${name}/tags/list`), name);
  for (const name of ['openshift/ci/deep', 'openshift', 'other/ci', 'exactly', 'ghcr.io/organic/a']) {
    t.throws(() => routed(`/v2/${name}/tags/list`), { code: 'NAME_UNKNOWN' }, name);
  }
});

test('one-component names of Docker Hub are in its library', async (t) => {
  t.match(routed('/v2/docker.io/alpine/tags/list'), {
    asked: 'docker.io/alpine',
    request: { repository: 'library/alpine' },
  });
  t.match(routed('/v2/docker.io/a/b/tags/list'), { request: { repository: 'a/b' } });
});

test('a first component that looks like a registry is never asked of the default upstream', async (t) => {
  for (const [path, registry, meant] of [
    ['ghrc.io/org/app', 'ghrc.io', 'ghcr.io'],
    ['index.docker.io/library/alpine', 'index.docker.io', 'docker.io'],
    ['quay.io:443/openshift/ci', 'quay.io:443', 'quay.io'],
    ['localhost/openshift/ci', 'localhost', undefined],
    ['localhost:5000/openshift/ci', 'localhost:5000', undefined],
    ['registry.internal.example/a/b', 'registry.internal.example', undefined],
  ] as const) {
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
    const message = `${registry} is not an upstream of this service${hint}`;
    const detail = meant === undefined ? { registry } : { registry, meant };
    t.throws(() => routed(`/v2/${path}/manifests/latest`), { code: 'NAME_UNKNOWN', message, detail }, path);
  }
  t.match(
    routed('/v2/exact/manifests/latest'),
    { upstream: 'quay.io' },
    'one component is a repository, with a dot or without',
  );
});

test('an upstream with a port in its name is reached by its path', async (t) => {
  const local = createRouter(new Map([['localhost:5000', {}]]), undefined);
  const parsed = parseRequest('GET', '/v2/localhost:5000/team/app/manifests/v1');
  t.match(local({ ...parsed, request: parsed.request as never }, undefined), {
    upstream: 'localhost:5000',
    request: { repository: 'team/app' },
    asked: 'localhost:5000/team/app',
  });
});

test('without a default upstream, a path must begin with one', async (t) => {
  const strict = createRouter(upstreams, undefined);
  const parsed = parseRequest('GET', '/v2/openshift/ci/tags/list');
  t.throws(() => strict({ ...parsed, request: parsed.request as never }, undefined), {
    code: 'NAME_UNKNOWN',
    message: /there is no default upstream/,
  });
});
