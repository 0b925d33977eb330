import type { Test } from 'tap';
import { LoadFailure } from '../../../src/load/client/failure.ts';
import { createNodes, type NodeSettings } from '../../../src/load/client/node.ts';
import type { LoadTarget } from '../../../src/load/client/target.ts';
import { LoadRecorder } from '../../../src/load/recorder.ts';
import type { DigestCheck, DigestChecks } from '../../../src/load/verify/digest-check.ts';
import type { Arrival } from '../../../src/load/work.ts';
import { type Digest, digester, isMatch } from '../../../src/oci/digest.ts';
import { parseReference, parseRepository } from '../../../src/oci/reference.ts';
import { type RegistryDouble, registryDouble } from '../../support/registry-double.ts';

/** Checks here and now, so that a test needs no thread. */
const checks: DigestChecks = {
  isOn: true,
  waitedMs: 0,
  begin: (digest: Digest): DigestCheck => {
    const hash = digester(digest);
    return {
      write: (chunk) => void hash.update(chunk),
      end: async () => isMatch(hash, digest),
      drop: () => undefined,
    };
  },
  close: async () => undefined,
};

/** Nodes before a registry double; `asked` is what came there. */
export async function nodesRig(
  t: Test,
  settings: Partial<NodeSettings> = {},
  target: Partial<LoadTarget> = {},
) {
  const registry: RegistryDouble = await registryDouble();
  const over = new AbortController();
  const recorder = new LoadRecorder();
  const started = performance.now();
  const nodes = createNodes({
    client: 'podman',
    perNode: 6,
    platform: 'linux/amd64',
    isForgetful: true,
    progressTimeoutMs: 5_000,
    ...settings,
    target: { url: registry.url, ...target },
    recorder,
    checks,
    now: () => performance.now() - started,
    signal: over.signal,
  });
  t.teardown(async () => {
    over.abort();
    await nodes.close();
    await registry.close();
  });
  const work = async (wanted: Arrival['work'], node = 'a'): Promise<void> => {
    await nodes.work({ atMs: performance.now() - started, node, work: wanted });
    await nodes.checked();
  };
  const asked = () =>
    registry.requests.map(({ method, path, query }) => {
      const short = path.replace(/^\/v2\//, '').replace(/(sha256:.{4})\w+/, '$1');
      return `${method} ${short}${query === '' ? '' : `?${query}`}`.trim();
    });
  return { registry, recorder, work, asked };
}

/** What the report counts the failure of this work as. */
export async function kindOf(work: Promise<void>): Promise<string> {
  const failure = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  return failure instanceof LoadFailure ? failure.kind : `no failure: ${String(failure)}`;
}

/** A pull of `team/app:v1`, or of another reference. */
export function pullOf(reference = 'v1', repository = 'team/app'): Arrival['work'] {
  return {
    kind: 'pull',
    repository: parseRepository(repository),
    reference: parseReference(reference),
  };
}
