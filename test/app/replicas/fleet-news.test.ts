import { test } from 'tap';
import { breakersTold, cacheTold, fleetNews } from '../../../src/app/replicas/fleet-news.ts';
import type { MemberNews } from '../../../src/fleet/protocol/news.ts';
import { parseNews } from '../../../src/fleet/protocol/news.ts';
import { digestOf } from '../../../src/oci/digest.ts';

const digest = digestOf(Buffer.of());

function recorder() {
  const told: MemberNews[] = [];
  const fleet = { tell: (news: MemberNews) => void told.push(news) } as never;
  return { told, fleet };
}

const events = new Proxy({}, { get: () => () => undefined, ownKeys: () => [] }) as never;

test('what is stored in the store of all is told, as other members read it', async (t) => {
  const { told, fleet } = recorder();
  const stored = { digest, size: 5 };
  (cacheTold(events, fleet, true) as { blobStored(event: object): void }).blobStored(stored);
  (cacheTold(events, fleet, false) as { blobStored(event: object): void }).blobStored(stored);
  t.same(told, [{ kind: 'stored', ...stored }]);
  t.same(parseNews(JSON.parse(JSON.stringify(told))), told);
  t.same(
    parseNews([
      { kind: 'stored', digest, size: -1 },
      { kind: 'stored', digest: 'x', size: 1 },
    ]),
    [],
  );
});

test('a breaker that opens or closes is told', async (t) => {
  const { told, fleet } = recorder();
  const changed = breakersTold({ breakerChanged: () => undefined } as never, fleet) as {
    breakerChanged(event: object): void;
  };
  for (const state of ['open', 'half-open', 'closed']) changed.breakerChanged({ upstream: 'quay.io', state });
  const kind = 'breaker';
  t.same(told, [
    { kind, upstream: 'quay.io', isOpen: true },
    { kind, upstream: 'quay.io', isOpen: false },
  ]);
  t.same(parseNews(JSON.parse(JSON.stringify(told))), told);
});

test('a pause that an upstream wants is told, as other members read it', async (t) => {
  const { told, fleet } = recorder();
  const paused = { upstream: 'quay.io', seconds: 60 };
  const { throttled } = breakersTold({} as never, fleet) as { throttled(event: object): void };
  throttled({ ...paused, kind: 'manifest' });
  t.same(told, [{ kind: 'throttled', of: 'manifest', ...paused }]);
  t.same(parseNews(JSON.parse(JSON.stringify(told))), told);
  for (const odd of [{ seconds: 301 }, { seconds: -1 }, { of: 'odd' }, { upstream: '' }])
    t.same(parseNews([{ ...told[0], ...odd }]), [], JSON.stringify(odd));
});

test('a turn to mirror that was given back is looked for at once', (t) => {
  let told: (news: MemberNews) => void = () => t.fail('followed');
  const follow = (listener: typeof told): void => {
    told = listener;
  };
  let looks = 0;
  const look = (): void => {
    looks += 1;
  };
  const cache = { medium: { records: {} } };
  fleetNews({
    fleet: { follow },
    cache,
    events,
    mirror: () => ({ look }),
    access: {},
    upstreams: () => [],
  } as never);
  told({ kind: 'released', lease: 'another' });
  t.equal(looks, 0);
  told({ kind: 'released', lease: 'mirror' });
  t.equal(looks, 1);
  t.end();
});
