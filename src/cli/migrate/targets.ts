import { createTargetChecks, type TargetChecks, withoutChecks } from '../../migrate/checks.ts';
import type { ReferenceRules } from '../../migrate/rules/rules.ts';
import { whyUnread } from '../../mirror/inspect/gaps.ts';
import { parsePullSpec } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseTag, type Reference } from '../../oci/reference.ts';
import type { Io } from '../flags/io.ts';
import { configuredEndpoints } from '../images/settings.ts';
import type { MirrorEndpoints } from '../mirror/endpoints.ts';
import type { MigrateOptions } from './options.ts';

interface OpenTargets {
  readonly checks: TargetChecks;
  close(): Promise<void>;
}

const latest = parseTag('latest');
/** References at a time; a registry has a limit of its own below it. */
const atOnce = 12;

/**
 * The rules, whose new references are asked for at their registries by one HEAD each, with the
 * logins of the command line; all as they are with `--no-check`. Throws `UsageError`.
 */
export async function checkedTargets(
  rules: ReferenceRules,
  { checks, registries }: MigrateOptions,
  io: Io,
): Promise<OpenTargets> {
  if (!checks) return { checks: withoutChecks(rules), close: async () => undefined };
  const ends = await configuredEndpoints({ ...registries, dir: '.' }, 'pull', io);
  const whyNot = (reference: string) => whyMissing(reference, ends, io.signal);
  return { checks: createTargetChecks({ rules, whyNot, atOnce }), close: () => ends.close() };
}

/** Undefined where it is there. */
async function whyMissing(
  text: string,
  ends: MirrorEndpoints,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const spec = parsePullSpec(text);
    const reference: Reference =
      spec.digest === undefined ? { tag: spec.tag ?? latest } : { digest: spec.digest };
    const reader = await ends.source(spec);
    const found = await reader.manifest(spec.repository, reference, { method: 'HEAD', signal });
    return found.kind === 'absent' ? 'is not there' : undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RegistryError)) throw error;
    return `cannot be looked up: ${whyUnread(error)}`;
  }
}
