import type { Lab } from '../lab.ts';
import { peerNames } from '../peers/peers.ts';
import type { Findings, Measure, Scenario, Target } from '../scenario.ts';
import type { StartOptions } from '../servers/start.ts';
import { against } from '../statistics.ts';
import { wallTargets, warmPulls } from './warm-pulls.ts';

/** Many clients pull the same image of ordinary size, which is there. */
export const warmImage: Scenario = {
  name: 'warm-image',
  title: 'Warm image of 44 MB: manifest, config and 8 layers',
  async run(lab) {
    const measures = await warmPulls(lab, { clients: [1, 10, 50] });
    return {
      measures,
      targets: [...wallTargets(measures), ...costTargets(measures)],
      notes: [
        'From the page cache, over plain HTTP. Each client takes the manifest, then six blobs at a time over connections that it keeps, and checks lengths.',
        'Processor time and memory are the server’s with its workers, for all pulls together.',
      ],
    };
  },
};

/** The same by JavaScript alone, as where the kernel cannot send. */
export const javascriptImage: Scenario = {
  name: 'javascript-image',
  title: 'Warm image of 44 MB, sent by JavaScript alone',
  isLong: true,
  async run(lab) {
    const options = { settings: { sendfile: false } };
    const measures = await warmPulls(lab, {
      clients: [1, 10, 50],
      names: ['quayside', 'distribution'],
      options,
    });
    return {
      measures,
      targets: [...wallTargets(measures), ...costTargets(measures)],
      notes: ['Quayside with `sendfile: false`.'],
    };
  },
};

/** The same with TLS that the server ends. */
export const tlsImage: Scenario = {
  name: 'tls-image',
  title: 'Warm image of 44 MB over TLS that the server ends',
  run: (lab) =>
    tenClients(
      lab,
      { isTls: true },
      'By HTTP/1.1; each client makes six connections, and so six handshakes. The certificate has a key on P-256.',
      'node:http is here a loop over node:https that reads a file into pooled buffers of 256 KiB and knows nothing else.',
    ),
};

/** The same with a login that each request shows. */
export const loginImage: Scenario = {
  name: 'login-image',
  title: 'Warm image of 44 MB with a login',
  run: (lab) =>
    tenClients(
      lab,
      { hasLogin: true },
      'A file of logins by bcrypt of cost 5. Clients of Quayside have a token, as every client of registries has; the others know Basic without a further server, and compare each request anew.',
      'The rights of a cluster are measured by the scenario access: the others have none.',
    ),
};

function costTargets(measures: readonly Measure[]): readonly Target[] {
  return measures
    .filter(({ what }) => what.endsWith('processor time'))
    .map((cost) => against(cost, 'distribution', { sense: 'at most', bound: 0.8 }));
}

async function tenClients(lab: Lab, options: StartOptions, ...notes: readonly string[]): Promise<Findings> {
  const names = [...peerNames, ...(options.isTls === true ? (['node:http'] as const) : [])];
  const measures = await warmPulls(lab, { clients: [10], names, options });
  return { measures, targets: wallTargets(measures), notes };
}
