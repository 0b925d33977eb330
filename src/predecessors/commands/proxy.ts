import type { Fields } from '../../base/text/json.ts';
import type { Run } from '../../cli/flags/io.ts';
import type { Start } from '../../cli/serve/serve.ts';
import { printedSettings, servedByFlags } from './flagged.ts';
import { isOn } from './go-flags.ts';
import { parseProxyFlags, theirs } from './proxy-flags.ts';

/**
 * The fixed behaviour of `qci-appci` as settings: it admits every subject that may read the streams
 * of `ocp`, stores nothing on a disk, and redirects clients to the registry's blobs.
 */
const always: Fields = {
  log: { qciAppci: true },
  store: { memory: { maxBytes: '128MiB' } },
  spool: { maxBytes: '1GiB' },
  defaultUpstream: theirs.upstream,
  upstreams: { [theirs.upstream]: { repositories: ['openshift/ci'] } },
  clusters: { [theirs.cluster]: {} },
  hosts: {
    [theirs.host]: { auth: 'cluster', access: 'parity', upstream: theirs.upstream, blobs: 'bypass' },
  },
};

/** `quayside proxy`: the service with the command line of `qci-appci`. */
export function proxying(start: Start): Run {
  return async (args, io) => {
    const flags = parseProxyFlags(args, io.env['KUBECONFIG']);
    const program = { name: 'quayside proxy', always, flags, file: flags.written.get('config')?.at(-1) };
    return isOn(flags, 'print-config') ? printedSettings(program, io) : servedByFlags(start, program, io);
  };
}
