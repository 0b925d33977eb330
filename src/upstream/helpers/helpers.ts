// Room `upstream/helpers`: programs that have logins: credential helpers of docker, and credential
// providers of the kubelet's. In: settings, names from auth files. Out: credentials, kept for as
// long as they say. Imports: base, oci, upstream.

import { Semaphore } from '../../base/flow/semaphore.ts';
import { createLru } from '../../base/state/lru.ts';
import { oneLine } from '../../base/text/one-line.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { UpstreamCredential } from '../credential.ts';
import { type Helper, HelperMissing, type HelperQuestion, imageOf } from './answer.ts';
import { dockerFile, dockerHelper, helperFailure, type RunHelper } from './docker.ts';
import { type ExecHelper, type ExecSettings, execHelper } from './exec.ts';
import { findProgram, runProgram } from './program.ts';
import { RememberedHelper } from './remembered.ts';

export interface HelperSettings {
  /** Directories of the programs that may be run, absolute paths. None: no helper may. */
  readonly directories: readonly string[];
  /** Names of variables of this process that every helper gets. */
  readonly environment: readonly string[];
  /** The time that a run may take, milliseconds. */
  readonly timeoutMs: number;
  /** How long the answer of a docker helper is kept, milliseconds. */
  readonly keepMs: number;
  readonly exec: readonly ExecSettings[];
}

/** What helpers report. */
export interface HelperEvents {
  /** A file names a helper that is not run: `key` and what follows are of that file. */
  helperRefused?(event: {
    readonly file: string;
    readonly key: string;
    readonly helper: string;
    readonly reason: string;
  }): void;
  /** A run ended. */
  helperAsked?(event: {
    readonly helper: string;
    readonly registry: string;
    readonly outcome: 'answered' | 'absent' | 'failed';
    readonly error?: unknown;
  }): void;
}

/** Where an auth file names a helper. */
interface NamedHelper {
  readonly file: string;
  /** `credsStore`, or `credHelpers.` and the host. */
  readonly key: string;
  /** As it stands there: any JSON. */
  readonly helper: unknown;
}

/** The helpers of one process. */
export interface CredentialHelpers {
  /**
   * What the helper that a file names has for a registry. Undefined where it has none, and where it
   * may not be run, which is reported. Throws `UNAVAILABLE` where it fails.
   */
  named(place: NamedHelper, question: HelperQuestion): Promise<UpstreamCredential | undefined>;
  /** What the first `exec` helper has that is set for this image. Throws `UNAVAILABLE`. */
  matching(question: HelperQuestion): Promise<UpstreamCredential | undefined>;
  /** See `Credentials.refused`. */
  refused(credential: UpstreamCredential): boolean;
  /** Ends the runs under way. */
  close(): void;
}

interface HelperOptions extends HelperSettings {
  /** The environment of this process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly events?: HelperEvents;
  /** Milliseconds since some point in time. Default `performance.now`. */
  readonly now?: () => number;
}

/** No path, no option, no shell: it becomes a part of a file's name. */
const nameShape = /^[a-z0-9-]{1,64}$/;
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const nameText = 'the name of a helper has a-z, 0-9 and - alone';
/** Programs at a time. */
const mostRuns = 4;
/** One complaint is reported once in this time, milliseconds. */
const complaintPauseMs = 3_600_000;
const mostComplaints = 1_000;
const mostHelpers = 100;
const longestText = 200;

/** Starts no program before a login is asked for. */
export function createCredentialHelpers(options: HelperOptions): CredentialHelpers {
  const { directories, environment, env, timeoutMs, keepMs, events, now = () => performance.now() } = options;
  const closing = new AbortController();
  const runs = new Semaphore({ permits: mostRuns });
  const told = createLru<string, true>(mostComplaints, { keepMs: complaintPauseMs, now });
  const docker = createLru<string, RememberedHelper>(mostHelpers);
  const passed = environmentOf(env, environment);

  const runWith =
    (own: Readonly<Record<string, string>>): RunHelper =>
    async (file, call) => {
      const path = await findProgram(file, directories);
      if (path === undefined) throw new HelperMissing(missingText(file, directories));
      const { signal } = closing;
      const run = { ...call, path, env: { ...passed, ...own }, timeoutMs, signal };
      try {
        return await runs.run(() => runProgram(run), signal);
      } catch (error) {
        if (error instanceof RegistryError) throw error;
        const what = error instanceof Error ? error.message : 'failed';
        throw helperFailure(file, what, '', error instanceof Error ? error.cause : undefined);
      }
    };

  const remembered = (helper: Helper): RememberedHelper =>
    new RememberedHelper({ ...helper, ask: (question) => reported(helper, question, events) }, now);

  const exec = options.exec.map((settings) => {
    const helper: ExecHelper = execHelper(settings, runWith(settings.env));
    return { images: helper.images, remembered: remembered(helper) };
  });

  function ofDocker(name: string): RememberedHelper {
    const known = docker.get(name) ?? remembered(dockerHelper(name, { run: runWith({}), keepMs }));
    docker.set(name, known);
    return known;
  }

  function refuse({ file, key, helper }: NamedHelper, reason: string): undefined {
    const event = {
      file,
      key: oneLine(key, longestText),
      helper: oneLine(String(helper), longestText),
      reason,
    };
    const complaint = JSON.stringify(event);
    if (told.has(complaint)) return;
    told.set(complaint, true);
    events?.helperRefused?.(event);
  }

  return {
    async named(place, question) {
      const { helper } = place;
      if (!isHelperName(helper)) return refuse(place, nameText);
      try {
        return await ofDocker(helper).find(question);
      } catch (error) {
        if (error instanceof HelperMissing) return refuse(place, error.message);
        throw error;
      }
    },
    async matching(question) {
      const found = exec.find(({ images }) => images.some((each) => each.test(imageOf(question))));
      try {
        return await found?.remembered.find(question);
      } catch (error) {
        if (!(error instanceof HelperMissing)) throw error;
        throw new RegistryError('UNAVAILABLE', error.message, { retry: 'later' });
      }
    },
    refused: (credential) =>
      [...docker.values(), ...exec.map((each) => each.remembered)].some((each) => each.refused(credential)),
    close: () => closing.abort(new RegistryError('UNAVAILABLE', 'the service is shutting down')),
  };
}

/** Why a helper that a file names would not be run; undefined for one that would. */
export async function helperRefusal(
  helper: unknown,
  directories: readonly string[],
): Promise<string | undefined> {
  if (!isHelperName(helper)) return nameText;
  const file = dockerFile(helper);
  return (await findProgram(file, directories)) === undefined ? missingText(file, directories) : undefined;
}

function isHelperName(helper: unknown): helper is string {
  return typeof helper === 'string' && nameShape.test(helper);
}

async function reported(helper: Helper, question: HelperQuestion, events: HelperEvents | undefined) {
  const { registry } = question;
  const { name } = helper;
  try {
    const answer = await helper.ask(question);
    const outcome = answer.logins.length === 0 ? 'absent' : 'answered';
    events?.helperAsked?.({ helper: name, registry, outcome });
    return answer;
  } catch (error) {
    const isRun = !(error instanceof HelperMissing);
    if (isRun) events?.helperAsked?.({ helper: name, registry, outcome: 'failed', error });
    throw error;
  }
}

/** A fixed path for programs, a home, and what the settings name. */
function environmentOf(
  env: HelperOptions['env'],
  names: readonly string[],
): Readonly<Record<string, string>> {
  const named = names.flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { PATH: searchPath, HOME: env['HOME'] ?? '/', ...Object.fromEntries(named) };
}

function missingText(file: string, directories: readonly string[]): string {
  if (directories.length === 0)
    return `${file} is not run: credentialHelpers.directories (of a command: QUAYSIDE_CREDENTIAL_HELPERS) names no directory`;
  return `${file} is no executable file in a directory of credentialHelpers.directories`;
}
