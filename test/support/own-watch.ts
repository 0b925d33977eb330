/**
 * The time of this process since the call, in milliseconds: what it computes and what it waits. In
 * contrast to a clock it does not count how long other processes have the processor.
 */
export function createOwnWatch(): () => number {
  const before = process.cpuUsage();
  const { idle: idleBefore } = performance.eventLoopUtilization();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return performance.eventLoopUtilization().idle - idleBefore + (user + system) / 1000;
  };
}
