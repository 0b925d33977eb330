import { sleep } from '../../base/time/wait.ts';
import type { FailedRequest, RecentFailures } from '../../proxy/http/recent-failures.ts';
import type { Log } from '../../telemetry/log.ts';
import { exemplarLines, openMetricsPage, type ShownMetrics } from '../../telemetry/metrics/exemplars.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { WorkerPlace } from '../../workers/place.ts';

interface WorkerParts {
  readonly meters: ShownMetrics & Pick<Metrics, 'values'>;
  /** Whether this process could answer a pull now. */
  readonly isReady: () => Promise<boolean>;
  readonly failures: Pick<RecentFailures, 'add'>;
  readonly log: Log;
}

/** What one process of several shows for all of them; for itself where it is alone. */
interface AmongWorkers {
  readonly meters: ShownMetrics;
  readonly isReady: () => Promise<boolean>;
  readonly failures: Pick<RecentFailures, 'add'>;
  /**
   * Starts what is done once, now or when it becomes this worker's turn; resolves to what that
   * says if it is now.
   */
  begin<Addresses>(duties: { start(): Promise<Addresses> }): Promise<Addresses | undefined>;
}

/** One worker takes over from another that may have its ports a little longer, milliseconds. */
const againMs = 1_000;

/** This process among the workers of its machine. */
export function amongWorkers(place: WorkerPlace | undefined, parts: WorkerParts): AmongWorkers {
  if (place === undefined) return { ...parts, begin: (duties) => duties.start() };
  const { meters, isReady, failures, log } = parts;
  place.answerBy({ metrics: meters.values, isReady });
  place.onFailure((request) => failures.add(request));

  async function takeOver(duties: { start(): Promise<unknown> }): Promise<void> {
    while (!place?.stopping.aborted) {
      try {
        await duties.start();
        return;
      } catch (error) {
        log.error({ component: 'workers', err: error }, 'cannot take over the admin port; retrying');
        await sleep(againMs, place?.stopping).catch(() => undefined);
      }
    }
  }

  return {
    meters: {
      contentType: meters.contentType,
      text: async () => (await place.metricsPage())?.text ?? (await meters.text()),
      ...(meters.openMetrics && {
        async openMetrics() {
          const page = await place.metricsPage();
          return page === undefined
            ? (meters.openMetrics?.() ?? '')
            : openMetricsPage(page.text, exemplarLines(page.exemplars));
        },
      }),
    },
    isReady: async () => (await isReady()) && (await place.areOthersReady()),
    failures: {
      add(request: FailedRequest) {
        failures.add(request);
        place.failed(request);
      },
    },
    async begin(duties) {
      if (place.welcome.isOnDuty) return duties.start();
      place.onDuty(() => void takeOver(duties));
      return undefined;
    },
  };
}
