import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { fuzz } from './fuzz/fuzz.ts';
import { openBelow } from './support/open-files.ts';
import { serviceRig } from './support/service.ts';

/** Others, and for longer: `npm run fuzz`. */
for (const seed of [1, 2, 3]) {
  test(`no connection costs a slot, a file or a right answer, whatever it does (seed ${seed})`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'quayside-fuzz-'));
    t.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
    const rig = await serviceRig(t, { directory });
    t.teardown(rig.stop);
    const { hostname: host, port } = new URL(`http://${rig.service.address}`);
    const subject = {
      address: { host, port: Number(port) },
      double: rig.double,
      metrics: rig.metrics,
      openFiles: () => openBelow(process.pid, directory),
    };
    const { connections, requests, faults } = await fuzz({
      subject,
      seed,
      width: 24,
      isOver: (batches) => batches === 4,
    });
    t.equal(faults.join('\n'), '', `seed ${seed}: ${requests} requests on ${connections} connections`);
    t.same(
      rig.log.filter(({ level }) => level === 'error'),
      [],
    );
  });
}
