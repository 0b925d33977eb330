import type { Access, Subject } from '../../auth/access.ts';
import { groupsOf } from '../../auth/subject.ts';
import type { Config } from '../../config/load.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseReference, parseRepository } from '../../oci/reference.ts';
import { createHosts } from '../../proxy/access/hosts.ts';
import { createRouter } from '../../proxy/access/route.ts';
import { didYouMean, UsageError } from '../flags/arguments.ts';

/** The words of `quayside access check`, as they were written. */
interface AccessWords {
  readonly reference: string;
  readonly host?: string | undefined;
  readonly as?: string | undefined;
  readonly groups?: string | undefined;
  readonly cluster?: string | undefined;
}

/** Who wants what, on which host. */
export interface AccessQuestion {
  /** As configured: a name, `name:port`, or `*`. */
  readonly host: string;
  readonly subject: Subject & { readonly cluster: string };
  readonly access: Access;
}

/** The arguments under the configuration; throws `UsageError` that says what would be valid. */
export function accessQuestion(words: AccessWords, config: Config): AccessQuestion {
  try {
    const host = hostOf(words, config);
    return { host, subject: subjectOf(words, config, host), access: accessOf(words, config, host) };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    throw new UsageError(`${words.reference}: ${error.message}`, { cause: error });
  }
}

/** The named host, before the reference or in it; else the only one with `auth: cluster`. */
function hostOf({ host, reference }: AccessWords, { hosts: configured }: Config): string {
  const asking = Object.keys(configured).filter((name) => configured[name]?.auth === 'cluster');
  const written = host ?? withoutScheme(reference).split('/', 1)[0] ?? '';
  const isNamed = host !== undefined || Object.hasOwn(configured, written.toLowerCase());
  const find = createHosts(Object.keys(configured).map((name) => ({ name })));
  const [only, ...others] = asking;
  if (!isNamed && (only === undefined || others.length > 0))
    throw new UsageError(
      `needs --host HOST, one of ${asking.join(', ') || 'those with auth: cluster; there is none'}`,
    );
  const name = isNamed ? find(written).name : (only ?? '');
  const auth = configured[name]?.auth;
  if (auth !== 'cluster') throw new UsageError(`host ${name} has auth: ${auth}, so no rules decide there`);
  return name;
}

/** Who pulls, with the groups that Kubernetes adds. Throws `UsageError` without a name. */
export function subjectOf(
  words: Pick<AccessWords, 'as' | 'groups' | 'cluster'>,
  config: Config,
  host: string,
): AccessQuestion['subject'] {
  const { as: name, groups = '', cluster: wanted } = words;
  if (name === undefined || name === '') throw new UsageError('needs --as USER');
  const clusters = config.hosts[host]?.clusters ?? Object.keys(config.clusters);
  const cluster = wanted ?? clusters[0];
  if (cluster === undefined || !clusters.includes(cluster))
    throw new UsageError(`host ${host} does not ask ${cluster}${didYouMean(cluster ?? '', clusters)}`);
  const given = groups.split(',').filter((group) => group !== '');
  return { name, groups: groupsOf(name, given), cluster };
}

function accessOf({ reference, host }: AccessWords, config: Config, configured: string): Access {
  const { upstreams, defaultUpstream } = config;
  const text = withoutHost(withoutScheme(reference), [host, configured]);
  const { repository, reference: wanted } = parseImage(text);
  const route = createRouter(new Map(Object.entries(upstreams)), defaultUpstream);
  const request = { kind: 'manifest', repository, reference: wanted } as const;
  const routed = route({ request }, config.hosts[configured]?.upstream);
  return {
    upstream: routed.upstream,
    repository: routed.request.repository,
    action: 'pull',
    reference: wanted,
  };
}

/** `repository[:tag][@digest]`, as people write it: without either it means the tag `latest`. */
function parseImage(text: string) {
  const [, name = '', tag, digest] = /^([^@]*?)(?::([^:/@]*))?(?:@(.*))?$/.exec(text) ?? [];
  const written = [tag, digest].filter((part) => part !== undefined).join('@');
  return {
    repository: parseRepository(name),
    reference: parseReference(written === '' ? 'latest' : written),
  };
}

function withoutScheme(reference: string): string {
  return reference.replace(/^docker:\/\//, '');
}

function withoutHost(text: string, names: readonly (string | undefined)[]): string {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(0, slash)).toLowerCase();
  return first !== '' && names.some((name) => name?.toLowerCase() === first) ? text.slice(slash + 1) : text;
}
