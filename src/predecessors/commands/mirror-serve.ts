import { relative } from 'node:path';
import type { Fields } from '../../base/text/json.ts';
import { UsageError } from '../../cli/flags/arguments.ts';
import type { Run } from '../../cli/flags/io.ts';
import { validating } from '../../cli/mirror/validate.ts';
import type { Start } from '../../cli/serve/serve.ts';
import { printedSettings, servedByFlags } from './flagged.ts';
import { type GoFlags, isOn } from './go-flags.ts';
import { cluster, parseMirrorServeFlags } from './mirror-serve-flags.ts';

/**
 * The fixed behaviour of `ci-images-mirror` as settings: metrics for all on a port of their own,
 * image streams and lease of one cluster. It answered no pulls; ours listen on loopback only, and
 * no balancer waits for their end.
 */
const always: Fields = {
  listen: '127.0.0.1:8400',
  shutdownDelayMs: 0,
  admin: { listen: '0.0.0.0:8080' },
  clusters: { [cluster]: {} },
  mirror: { lease: { cluster }, imageStreams: { cluster }, misses: { onMiss: 'off' } },
};

/** Where the configuration lies that is in force, below it the path in the repository. */
const inForce = 'https://raw.githubusercontent.com/openshift/release/main';

/**
 * `quayside mirror serve`: the mirror with the command line of `ci-images-mirror`, for its
 * unchanged Deployment. Resolves as `quayside serve` does; with `--validate-config-only` as
 * `quayside mirror validate`.
 */
export function mirrorServing(start: Start, validate: Run = validating()): Run {
  return async (args, io) => {
    const flags = parseMirrorServeFlags(args, io.env['KUBECONFIG']);
    const file = flags.written.get('settings')?.at(-1);
    const program = { name: 'quayside mirror serve', always, flags, file };
    if (isOn(flags, 'print-config')) return printedSettings(program, io);
    if (!isOn(flags, 'validate-config-only')) return servedByFlags(start, program, io);
    if (flags.complaints.length > 0)
      throw new UsageError(flags.complaints.map(({ flag, message }) => `${flag} ${message}`).join('\n'));
    return validate(validateArguments(flags), io);
  };
}

/** The original compared with openshift/release; so does this, in a checkout of it. */
function validateArguments({ written }: GoFlags): readonly string[] {
  const passed = ['config', 'registry-config', 'release-repo-git-sync-path'] as const;
  const [config, , release] = passed.map((name) => written.get(name)?.at(-1));
  const path = config === undefined || release === undefined ? '..' : relative(release, config);
  return [
    ...passed.flatMap(
      (name) =>
        written
          .get(name)
          ?.slice(-1)
          .map((value) => `--${name}=${value}`) ?? [],
    ),
    ...(path.startsWith('..') ? [] : [`--against=${inForce}/${path}`]),
  ];
}
