import { test } from 'tap';
import { divided } from '../../src/config/divided.ts';
import { load } from '../../src/config/load.ts';

const text = `
store: { s3: { bucket: b, maxSockets: 255 } }
spool: { maxBytes: 100 }
memory: { maxBytes: 3000, maxEntryBytes: 2000 }
limits: { read: { maxRunning: 0, maxInQueue: 3 }, blobs: { maxRunning: 5 } }
upstreams: { quay.io: { maxQueued: 10, maxConcurrent: 64, requestsPerSecond: 8 } }
eviction: { maxBytes: 1000 }
`;

test('what bounds the whole is divided among the workers, upwards, and no limit stays none', async (t) => {
  const part = divided(load(text, {}), 2);
  t.match(part, {
    store: { s3: { maxSockets: 128, bucket: 'b' } },
    spool: { maxBytes: 50 },
    memory: { maxBytes: 1500, maxEntryBytes: 1500 },
    limits: { read: { maxRunning: 0, maxInQueue: 2 }, blobs: { maxRunning: 3 }, logins: { maxRunning: 100 } },
    upstreams: { 'quay.io': { maxQueued: 5 } },
  });
});

test('what one of them does, and what they share as they come and go, is not divided', async (t) => {
  t.match(divided(load(text, {}), 4), {
    eviction: { maxBytes: 1000 },
    upstreams: { 'quay.io': { maxConcurrent: 64, requestsPerSecond: 8 } },
  });
});

test('one worker has everything, unchanged', async (t) => {
  const config = load(text, {});
  t.equal(divided(config, 1), config);
});
