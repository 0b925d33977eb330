// Room `cli/migrate`: quayside migrate, which makes the objects of a cluster name images where they
// are now. In: a command line. Out: the exit code. Imports: every room below.

import { defined } from '../../base/text/defined.ts';
import { oneLine } from '../../base/text/one-line.ts';
import { sleep } from '../../base/time/wait.ts';
import { createKubernetesClient, type KubernetesClient } from '../../kubernetes/client.ts';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';
import { expectedObjects } from '../../migrate/expected.ts';
import { secretKind } from '../../migrate/kinds.ts';
import { migrateReferences } from '../../migrate/migrate.ts';
import { createClusterObjects } from '../../migrate/objects.ts';
import { createPullSecrets } from '../../migrate/pull-secrets.ts';
import { UsageError } from '../flags/arguments.ts';
import { type Io, type Run, stopCode } from '../flags/io.ts';
import { writeRefusal } from '../mirror/report.ts';
import { kubeconfigFile, wantedObjects, writtenRules } from './inputs.ts';
import { createObjectWriter } from './object-text.ts';
import { type MigrateOptions, parseMigrateFlags } from './options.ts';
import { MigrationReport } from './report.ts';
import { checkedTargets } from './targets.ts';

interface MigratingOptions {
  /** Waits before a call is repeated. Default: the system's clock. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** `quayside migrate image-references`: see its help. */
export function migratingReferences({ pause = sleep }: MigratingOptions = {}): Run {
  return async (args, io) => {
    const wish = parseMigrateFlags(args);
    const rules = await writtenRules(wish, io);
    const wanted = await wantedObjects(wish, io);
    const client = await clusterClient(wish, io);
    const { output, confirm, atOnce } = wish;
    const writer = output === undefined ? undefined : createObjectWriter(output, io.stdout);
    const lines = writer === undefined ? io.stdout : undefined;
    const report = new MigrationReport(wish, wanted, { lines, complaints: io.stderr, writer });
    const { signal } = io;
    const objects = createClusterObjects(client);
    const closeProgress = io.progress?.(() => report.progress());
    const counting =
      closeProgress === undefined
        ? undefined
        : expectedObjects(wanted, wish, objects, signal).then((expected) => report.expects(expected));
    const registries = await checkedTargets(rules, wish, io);
    const { checks } = registries;
    const pullSecrets = createPullSecrets({
      ...{ objects, rules: checks.rules, signal },
      changesSecrets: !confirm && wanted.some(({ kind }) => kind === secretKind),
      unread: (place, error) => report.unread(place, error),
    });
    const context = {
      ...{ objects, checks, pullSecrets, confirm, signal },
      pause: (ms: number) => pause(ms, signal),
    };
    try {
      await migrateReferences({ wanted, scope: wish, context, atOnce, events: report });
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      closeProgress?.();
      writer?.end();
      await registries.close();
      await client.close();
      await counting;
    }
    return ended(report, wish, io);
  };
}

/** Writes what is left to say. Resolves to the exit code. */
async function ended(report: MigrationReport, { failedFile }: MigrateOptions, io: Io): Promise<number> {
  const { failedLines } = report;
  const refusal = failedFile === undefined ? undefined : await writeRefusal(failedFile, failedLines);
  if (refusal !== undefined) io.stderr.write(`error: ${failedFile} cannot be written (${refusal})\n`);
  else if (failedFile !== undefined && failedLines !== '')
    io.stderr.write(`info: what failed is in ${failedFile}: --only ${failedFile} takes it again\n`);
  report.summary();
  if (io.signal.aborted) {
    io.stderr.write('error: stopped before all was looked at: run it again for what is left\n');
    return stopCode(io.signal.reason);
  }
  return report.isFine && refusal === undefined ? 0 : 1;
}

async function clusterClient(wish: MigrateOptions, io: Io): Promise<KubernetesClient> {
  const kubeconfig = await kubeconfigFile(wish, io);
  try {
    return createKubernetesClient({
      kubeconfig: await loadKubeconfig(defined({ kubeconfigFile: kubeconfig, context: wish.context })),
      timeoutMs: 30_000,
    });
  } catch (error) {
    if (kubeconfig === undefined)
      throw new UsageError(
        'there is no kubeconfig, and no cluster around this process: name one with --kubeconfig',
        {
          cause: error,
        },
      );
    const why = oneLine(error instanceof Error ? error.message : String(error), 400);
    throw new UsageError(`the cluster cannot be asked: ${kubeconfig}: ${why}`, {
      cause: error,
    });
  }
}
