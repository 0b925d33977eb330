/** The variable in which a build of the image tells the revision of its source. */
const revisionVariable = 'QUAYSIDE_REVISION';

/** The revision of the source, as the build told it, else `unknown`. */
export function revisionOf(env: Readonly<Record<string, string | undefined>>): string {
  return env[revisionVariable] || 'unknown';
}
