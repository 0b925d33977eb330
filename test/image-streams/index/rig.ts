import type { Test } from 'tap';
import { createImageStreams } from '../../../src/image-streams/image-streams.ts';
import type { StreamIndexEvents } from '../../../src/image-streams/index/events.ts';
import { FollowedStreams } from '../../../src/image-streams/index/followed-streams.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import type { Records } from '../../../src/store/records.ts';
import { imageStreamDouble } from '../../support/image-stream-double.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { placesFor } from './places-rig.ts';

type Told = { readonly [Name in keyof StreamIndexEvents]: Parameters<StreamIndexEvents[Name]>[0][] };
type Api = Awaited<ReturnType<typeof imageStreamDouble>>;

export const digestOf = (letter: string) => parseDigest(`sha256:${letter.repeat(64)}`);
export const qci = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };

/** A stream as promotion leaves it: one tag, by reference, of one digest. */
export function promoted(tag: string, digest: string, created = new Date().toISOString()) {
  const dockerImageReference = `quay-proxy.example/openshift/ci@${digest}`;
  const from = { kind: 'DockerImage', name: dockerImageReference };
  return {
    spec: { tags: [{ name: tag, from, reference: true }] },
    status: { tags: [{ tag, items: [{ created, image: '', dockerImageReference }] }] },
  };
}

interface IndexRigOptions {
  /** Default: one of its own. */
  readonly api?: Api;
  readonly records?: Pick<Records, 'get' | 'put'>;
  readonly settings?: string;
  readonly namespaces?: readonly string[];
  /** Names of the service. Default: `quay-proxy.example`. */
  readonly names?: Readonly<Record<string, string | undefined>>;
  readonly trusted?: readonly string[];
  readonly staleMs?: number;
  readonly maxReferences?: number;
  /** Ms since the epoch. */
  readonly now?: () => number;
}

/** An index before an API server double, not yet started; closed with the test. */
export async function indexRig(t: Test, options: IndexRigOptions = {}) {
  const { records, settings = 'settings', namespaces, trusted = ['ocp'], staleMs = 60_000, now } = options;
  const api = options.api ?? (await imageStreamDouble());
  if (options.api === undefined) t.teardown(() => api.close());
  const clock = createManualClock();
  const told: Told = {
    streamsFollowed: [],
    streamsLeft: [],
    streamStateChanged: [],
    streamsSized: [],
    streamsListed: [],
    streamsFailed: [],
    streamLooked: [],
    streamsKept: [],
  };
  const index = new FollowedStreams({
    cluster: 'app.ci',
    imageStreams: (events) => createImageStreams({ client: api.client, timeoutMs: 5000, pauseMs: 1, events }),
    trusted,
    staleMs,
    placeOf: placesFor(
      new Map([['quay.io', {}]]),
      options.names ?? { 'quay-proxy.example': undefined },
      'quay.io',
    ),
    formerMs: () => 7 * 86_400_000,
    ...(options.maxReferences === undefined ? {} : { maxReferences: options.maxReferences }),
    events: {
      streamsFollowed: (event) => told.streamsFollowed.push(event),
      streamsLeft: (event) => told.streamsLeft.push(event),
      streamStateChanged: (event) => told.streamStateChanged.push(event),
      streamsSized: (event) => told.streamsSized.push(event),
      streamsListed: (event) => told.streamsListed.push(event),
      streamsFailed: (event) => told.streamsFailed.push(event),
      streamLooked: (event) => told.streamLooked.push(event),
      streamsKept: (event) => told.streamsKept.push(event),
    },
    clock,
    ...(records && { kept: { records, keyOf: (part) => `v1/streams/app.ci/${part}`, settings } }),
    ...(namespaces && { namespaces }),
    ...(now && { now }),
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= index.close();
    return closing;
  };
  t.teardown(close);
  const tagsOf = (digest: Parameters<typeof index.naming>[1]) =>
    index.naming(qci, digest).map(({ namespace, name, tag }) => `${namespace}/${name}:${tag}`);
  return {
    api,
    clock,
    told,
    index,
    close,
    tagsOf,
    states: () => told.streamStateChanged.map(({ state }) => state),
  };
}
