import type { Lab } from '../lab.ts';
import type { Scenario, Target } from '../scenario.ts';
import { peakMegabytes, resetPeak } from '../servers/process-cost.ts';
import { withFresh } from './started.ts';

const readers = 500;
const bytesPerSecond = 64 * 1024;

/**
 * What five hundred clients on thin lines cost in memory, while the blob comes in and when it is
 * there.
 */
export const slowReaders: Scenario = {
  name: 'slow-readers',
  title: `${readers} slow readers of a blob of 200 MB`,
  async run(lab) {
    const peaks = await withFresh(lab, 'quayside', async ({ origin, pid }) => {
      lab.say(`${readers} readers at 64 KiB/s while the blob comes in over 1 Gbit/s`);
      const filling = await peakOf(lab, origin, pid);
      await lab.pull({ origin, path: lab.offer.layer.path, clients: 1 });
      lab.say(`${readers} readers at 64 KiB/s on the stored blob`);
      return { filling, filled: await peakOf(lab, origin, pid) };
    });
    const values = (peak: Peak | undefined) =>
      peak?.megabytes === undefined ? {} : { quayside: peak.megabytes };
    const failed = (peak: Peak | undefined) => (peak === undefined ? {} : { quayside: peak.failures });
    return {
      measures: [
        { what: 'most memory, filling', unit: 'MB', values: values(peaks?.filling) },
        { what: 'most memory, filled', unit: 'MB', values: values(peaks?.filled) },
        { what: 'readers cut off, filling', unit: 'errors', values: failed(peaks?.filling) },
        { what: 'readers cut off, filled', unit: 'errors', values: failed(peaks?.filled) },
      ],
      targets: [
        target('filling', peaks?.filling.megabytes),
        target('filled', peaks?.filled.megabytes),
        complete('filling', peaks?.filling.failures),
        complete('filled', peaks?.filled.failures),
      ],
      notes: [
        'Resident set of the Quayside process (VmHWM); the readers leave after the stated time, mid-body.',
      ],
    };
  },
};

interface Peak {
  readonly megabytes: number | undefined;
  readonly failures: number;
}

async function peakOf(lab: Lab, origin: string, pid: number): Promise<Peak> {
  const leaveAfterMs = lab.form.isSmall ? 12_000 : 25_000;
  await resetPeak(pid);
  const pulled = await lab.pull({
    origin,
    path: lab.offer.layer.path,
    clients: readers,
    bytesPerSecond,
    leaveAfterMs,
  });
  const failures = pulled.filter(
    ({ status, totalMs }) => status !== 200 || totalMs < leaveAfterMs - 500,
  ).length;
  return { megabytes: await peakMegabytes(pid), failures };
}

function target(state: string, megabytes: number | undefined): Target {
  return { what: `most memory, ${state}`, value: megabytes, sense: 'at most', bound: 250, unit: 'MB' };
}

function complete(state: string, failures: number | undefined): Target {
  return { what: `readers cut off, ${state}`, value: failures, sense: 'at most', bound: 0, unit: 'errors' };
}
