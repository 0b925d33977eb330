import { type Contradiction, contradictionIf, type FaultPath } from './faults.ts';
import type { Settings } from './schema/schema.ts';

type Misses = NonNullable<Settings['mirror']>['misses'];
type Source = Misses['sources'][number];

/** What is wrong with `mirror.misses.sources`, beyond each value. */
export function missContradictions({ mirror, upstreams }: Settings): Contradiction[] {
  if (mirror === undefined) return [];
  const { sources, onMiss } = mirror.misses;
  return sources.flatMap((source, index) => {
    const path = ['mirror', 'misses', 'sources', index];
    return [
      ...sourceContradictions(source, path, onMiss),
      ...(source.from === undefined ? [] : fromContradictions(source.from, source, path, upstreams)),
    ];
  });
}

function sourceContradictions(
  { match, from, preset, copy }: Source,
  path: FaultPath,
  onMiss: Misses['onMiss'],
): Contradiction[] {
  const isOfCi = preset === 'openshift-ci' || preset === 'config-file';
  const isHistory = preset === 'history';
  const copies = copy ?? isOfCi;
  return [
    ...contradictionIf(
      (from === undefined) === (preset === undefined),
      path,
      'must hold either from or preset',
    ),
    ...contradictionIf(
      match === undefined && !isOfCi,
      [...path, 'match'],
      'is required, but for presets of CI',
    ),
    ...contradictionIf(
      isHistory && copy === true,
      [...path, 'copy'],
      'has no effect: history is of the tag that was asked for',
    ),
    ...contradictionIf(
      onMiss === 'queue' && (!copies || isHistory),
      path,
      'finds nothing for clients: onMiss is queue, and it copies nothing',
      [['mirror', 'misses', 'onMiss']],
    ),
  ];
}

/** The host is fixed: no client chooses by a name which registry gets our requests. */
function fromContradictions(
  from: string,
  { match }: Source,
  path: FaultPath,
  upstreams: Settings['upstreams'],
): Contradiction[] {
  const at = [...path, 'from'];
  const [host = ''] = from.split('/');
  const known = new Set(match?.groups);
  const [unknown] = [...from.matchAll(/\$\{([^}]*)\}?/g)].filter(([, name = '']) => !known.has(name));
  const lastPart = from.slice(from.lastIndexOf('/') + 1);
  const names = Object.keys(upstreams).join(', ') || 'none';
  return [
    ...contradictionIf(
      !Object.hasOwn(upstreams, host),
      at,
      `must begin with the host of one of the upstreams, ${names}, not ${host}`,
    ),
    ...contradictionIf(unknown !== undefined, at, `${unknown?.[0]} is not a named group of match`),
    ...contradictionIf(
      !isHost(host),
      at,
      `${host} is no host in pull specs, which have a dot or a port in it: ${from} would be of docker.io`,
    ),
    ...contradictionIf(!/[:@]/.test(lastPart), at, 'must end with a tag or a digest, such as :latest'),
    ...contradictionIf(!mayBeImage(from), at, `is no pull spec, whatever the groups are: ${from}`),
  ];
}

/** As pull specs tell a host from a part of a repository; `index.docker.io` is docker.io there. */
function isHost(text: string): boolean {
  return (/[.:]/.test(text) || text === 'localhost') && text !== 'index.docker.io';
}

const imageShape =
  /^[^/]+\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?$/;
const digestShape = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;
const hole = /\$\{\w+\}/g;

/** Whether there are groups with which the text names an image. What has no tag is told before. */
function mayBeImage(from: string): boolean {
  const at = from.indexOf('@');
  const digest = at < 0 ? undefined : from.slice(at + 1);
  const isDigest =
    digest === undefined ||
    (digest.search(hole) < 0 ? digestShape.test(digest) : /^[\w+.:-]*$/.test(digest.replace(hole, '')));
  const name = at < 0 ? from : from.slice(0, at);
  return isDigest && imageShape.test(name.replace(hole, 'a'));
}
