/**
 * The work of this thread since the call, in milliseconds: what the machine does beside it does not
 * count.
 */
export function createWorkWatch(): () => number {
  const before = process.threadCpuUsage();
  return () => {
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1000;
  };
}
