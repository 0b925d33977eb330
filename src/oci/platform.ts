const os = /(?:^| )os\/([a-z0-9]{1,32})(?: |$)/;
const architecture = /(?:^| )arch\/([a-z0-9_]{1,32})(?: |$)/;

/**
 * The platform for which a client asks, as `os/architecture`, where its `User-Agent` says so, as
 * those of CRI-O and docker do: undefined for one that does not.
 */
export function statedPlatform(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined) return undefined;
  const [, system] = os.exec(userAgent) ?? [];
  const [, processor] = architecture.exec(userAgent) ?? [];
  return system === undefined || processor === undefined ? undefined : `${system}/${processor}`;
}
