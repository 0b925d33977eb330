import { readFile } from 'node:fs/promises';
import { configFaults } from '../../app/mirror/rules.ts';
import { ConfigError } from '../../config/faults.ts';
import { type MirrorConfig, parseMirrorConfig } from '../../mirror/ci/config-file.ts';
import { MirrorConfigError } from '../../mirror/ci/located-yaml.ts';
import { objections } from '../../mirror/ci/validate.ts';
import { createImageInspector, type ImageInspector } from '../../mirror/images/image-inspector.ts';
import { parsePullSpec } from '../../mirror/references/pull-spec.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { type Io, type Run, writeJson } from '../flags/io.ts';
import { validateFlags } from '../pages/holds.ts';
import { authFile, commandHelpers } from './auth-file.ts';
import { createMirrorEndpoints, type MirrorEndpoints } from './endpoints.ts';
import { nothingPromoted, readPromotions } from './promotions.ts';
import { reasonText } from './report.ts';

interface ClosableLook {
  readonly look: ImageInspector;
  close(): Promise<void>;
}

type OpenLook = (registryConfig: string | undefined, io: Io) => Promise<ClosableLook>;

/** How long the configuration in force may take to come, milliseconds. */
const patienceMs = 30_000;

/** `quayside mirror validate`: 0 without objection, 1 with one, 2 for an unusable file. */
export function validating(open: OpenLook = openLook): Run {
  return async (args, io) => {
    const { values, words } = parseFlags(validateFlags, args);
    const isJson = values.output === 'json';
    if (values.config === undefined || words.length > 0) throw new UsageError('needs --config FILE');
    const config = await mirrorConfig(values.config, io.signal);
    const against = values.against === undefined ? undefined : await mirrorConfig(values.against, io.signal);
    const release = values['release-repo-git-sync-path'];
    const { promoted, unread } =
      release === undefined ? nothingPromoted : await readPromotions(release, io.signal);
    const { look, close } = await open(values['registry-config'], io);
    try {
      const options = { config, look, promoted, ...(against === undefined ? {} : { against }) };
      const found = [...unread, ...(await objections(options, io.signal))];
      if (isJson) writeJson(io.stdout, { objections: found.map(reasonText) });
      else for (const objection of found) io.stderr.write(`${reasonText(objection)}\n`);
      if (found.length > 0) return 1;
    } finally {
      await close();
    }
    if (!isJson) io.stdout.write('The config file is valid\n');
    return 0;
  };
}

/** The configuration at a path or URL. Throws `ConfigError` with every fault and its place. */
async function mirrorConfig(place: string, signal: AbortSignal): Promise<MirrorConfig> {
  try {
    return parseMirrorConfig(
      /^https?:\/\//.test(place) ? await fetched(place, signal) : await readFile(place),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UsageError) throw error;
    if (error instanceof MirrorConfigError) throw new ConfigError(place, configFaults(error));
    throw new UsageError(`${place} cannot be read`);
  }
}

async function fetched(address: string, signal: AbortSignal): Promise<Uint8Array> {
  const answer = await fetch(address, { signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]) });
  if (!answer.ok) throw new UsageError(`${address} answers with ${answer.status}`);
  return answer.bytes();
}

const openLook: OpenLook = async (registryConfig, io) => {
  const { env } = io;
  const ends: MirrorEndpoints = createMirrorEndpoints({
    authFile: await authFile(registryConfig, env),
    env,
    helpers: commandHelpers(io),
    insecure: false,
    certificateAuthority: undefined,
    maxPerRegistry: 8,
    requestsPerSecond: undefined,
    skipMount: false,
    dir: '.',
    fromDir: '.',
  });
  // Any repository will do: a registry is found by its host.
  const look = createImageInspector((registry) => ends.source(parsePullSpec(`${registry}/any/repository`)));
  return { look, close: ends.close };
};
