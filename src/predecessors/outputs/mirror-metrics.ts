import type { MirrorEvents, WorkqueueEvents } from '../../mirror/events.ts';
import { counter, gauge, histogram, measured } from '../../telemetry/metrics/kinds.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { Row } from '../../telemetry/metrics/table.ts';

const mirrorTable = {
  mirroring: [
    'quay_io_ci_images_distributor_image_mirroring_duration_seconds',
    'Attempts to copy an image, by how they ended.',
    ['state'],
  ],
  queueDepth: ['quay_io_ci_images_distributor_mirror_queue_depth', 'Images that wait to be copied.', []],
  workqueueDepth: ['workqueue_depth', 'Requests that wait in the work queue.', ['name']],
  workqueueAdds: ['workqueue_adds_total', 'Requests added.', ['name']],
  workqueueRetries: ['workqueue_retries_total', 'Requests added again after a failure.', ['name']],
  workqueueWait: [
    'workqueue_queue_duration_seconds',
    'Time that a request waits in the work queue.',
    ['name'],
  ],
  workqueueUnfinished: [
    'workqueue_unfinished_work_seconds',
    'Running time so far of all requests being processed, in sum.',
    ['name'],
  ],
  workqueueLongest: [
    'workqueue_longest_running_processor_seconds',
    'Running time so far of the longest running request.',
    ['name'],
  ],
  workqueueWork: ['workqueue_work_duration_seconds', 'Time that one request took.', ['name']],
} as const satisfies Readonly<Record<string, Row<readonly string[]>>>;

/** As the alerts on copies of images were made for, in seconds. */
const mirrorBuckets = [1, 2, 4, 8, 16, 32, 64];
/** Those of the library below the original's controller: from 10 ns by tens, in seconds. */
const workqueueBuckets = Array.from({ length: 12 }, (_, index) => Number(`1e${index - 8}`));
/** The controller that looks at image streams. */
const controller = 'quay_io_ci_images_distributor';

/**
 * Counts the mirror's events in the metrics of `ci-images-mirror`, under the names of its alerts
 * and dashboards. Its work queue processes one request at a time, so the longest one is all that is
 * unfinished. `now`: monotonic milliseconds.
 */
export function mirrorMetrics(
  { registry }: Pick<Metrics, 'registry'>,
  now: () => number = () => performance.now(),
): MirrorEvents & WorkqueueEvents {
  const mirroring = histogram(registry, mirrorTable.mirroring, mirrorBuckets);
  const waiting = gauge(registry, mirrorTable.queueDepth);
  const depth = gauge(registry, mirrorTable.workqueueDepth);
  const adds = counter(registry, mirrorTable.workqueueAdds);
  const retries = counter(registry, mirrorTable.workqueueRetries);
  const wait = histogram(registry, mirrorTable.workqueueWait, workqueueBuckets);
  const work = histogram(registry, mirrorTable.workqueueWork, workqueueBuckets);
  let startedAt: number | undefined;
  const unfinished = (): number => (startedAt === undefined ? 0 : (now() - startedAt) / 1000);
  for (const row of [mirrorTable.workqueueUnfinished, mirrorTable.workqueueLongest])
    measured(registry, row)([controller], unfinished);
  return {
    imageMirrored({ state, seconds }) {
      mirroring(state).observe(seconds);
    },
    mirrorQueueChanged(event) {
      waiting().value = event.waiting;
    },
    workqueueAdded() {
      adds(controller).value += 1;
    },
    workqueueRetried() {
      retries(controller).value += 1;
    },
    workqueueChanged(event) {
      depth(controller).value = event.depth;
    },
    workqueueStarted({ waitedSeconds }) {
      startedAt = now();
      wait(controller).observe(waitedSeconds);
    },
    workqueueEnded({ seconds }) {
      startedAt = undefined;
      work(controller).observe(seconds);
    },
  };
}
